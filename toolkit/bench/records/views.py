"""Small pictures of heads from all around, kept beside the numbers for the report."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydantic import Field, ValidationError
from torch import Tensor

from toolkit.bench.records.base import Record
from toolkit.bench.records.schema import Head
from toolkit.files import atomic_write
from toolkit.rendering.pixels import resized, to_pixels

SIDE = 160
"""Larger pictures are reduced to this side."""
_QUALITY = 82
_WIDEST_GAP = 90.0
"""Degrees between two pictures of a head that is seen from all around."""
_LARGEST = 2**26
"""Bytes beyond which no file is read."""


class HeadViews(Record):
    """The small pictures of one head."""

    yaws: list[float] = Field(min_length=1)
    """Degrees, rising."""
    pictures: list[str]
    """A WebP picture for each (base64)."""


class ViewFiles:
    """One JSON file per head in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __contains__(self, key: str) -> bool:
        """Whether the pictures of a head are there."""
        return self._path(key).is_file()

    def write(self, key: str, yaws: Sequence[float], images: Tensor) -> None:
        """Keep images [N, 3, S, S] in [-1, 1], one per yaw in degrees.

        Raises:
            OutputError: The folder cannot be written.
        """
        order = sorted(range(len(yaws)), key=lambda place: yaws[place])
        pixels = to_pixels(images)
        kept = HeadViews(
            yaws=[round(yaws[place], 1) for place in order], pictures=[encoded(pixels[place]) for place in order]
        )
        with atomic_write(self._path(key)) as path:
            path.write_text(json.dumps(kept.as_json(), separators=(",", ":")), encoding="utf-8")

    def read(self, key: str) -> HeadViews | None:
        """The pictures of a head; None where they are missing or damaged."""
        path = self._path(key)
        try:
            if path.stat().st_size > _LARGEST:
                return None
            found = HeadViews.model_validate_json(path.read_bytes(), strict=True)
        except (OSError, ValidationError):
            return None
        return found if len(found.yaws) == len(found.pictures) else None

    def goes_around(self, key: str) -> bool:
        """Whether there are pictures of a head from all around, so that none that is asked for is far from one."""
        found = self.read(key)
        if found is None:
            return False
        return max(after - before for before, after in pairwise([*found.yaws, found.yaws[0] + 360])) <= _WIDEST_GAP

    def count(self, head: Head) -> int:
        """How many pictures of a head there are."""
        found = self.read(head.frames)
        return len(found.yaws) if found else 0

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def encoded(pixels: np.ndarray[Any, Any]) -> str:
    """A picture, uint8 [S, S, 3], as base64 WebP."""
    side = min(SIDE, pixels.shape[0])
    buffer = io.BytesIO()
    Image.fromarray(resized(pixels, side)).save(buffer, format="WEBP", quality=_QUALITY, method=4)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
