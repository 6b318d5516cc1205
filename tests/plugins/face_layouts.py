"""Writes small data sets in published layouts; shared by the tests of their readers and of those who use them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from PIL import Image

from toolkit.camera import Camera

YAWS = (0.0, 0.5)


def numbers(yaw: float) -> list[float]:
    return Camera.orbit(yaw).label[0].tolist()


def picture(grey: int, ending: str = "png", mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    colour: Any = (grey, grey, grey) if mode == "RGB" else grey
    Image.new(mode, (8, 8), colour).save(buffer, "JPEG" if ending == "jpg" else "PNG")
    return buffer.getvalue()


def write(place: Path, files: dict[str, bytes]) -> Path:
    """A folder, or a zip where the name says so, stored as the published ones are."""
    if place.suffix == ".zip":
        with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return place
    for name, data in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    return place


def as_json(document: Any) -> bytes:
    return json.dumps(document).encode()


def lpff(place: Path) -> Path:
    """Two black pictures, ids without ending."""
    files = {"camera_parameters.json": as_json({f"id.{i}": numbers(yaw) for i, yaw in enumerate(YAWS)})}
    return write(place, files | {f"id.{i}.png": picture(i) for i in range(2)})
