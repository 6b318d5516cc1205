from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.camera import Camera

SIZE = 8
NAMES = ("00000/front.png", "00000/left_30.png", "00001/front.png")


def label(yaw: float) -> list[float]:
    return Camera.orbit(yaw).label[0].tolist()


def write_picture(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole data set: three pictures with masks, depth, subjects."""
    root = tmp_path / "set"
    random = np.random.default_rng(0)
    for name in NAMES:
        write_picture(root / name, random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8))
        mask = np.zeros((SIZE, SIZE), np.uint8)
        mask[:, : SIZE // 2] = 255
        write_picture(root / "masks" / name, mask)
        write_picture(root / "depth" / name, (mask > 0).astype(np.uint16) * 25_000)
    labels = [[name, label(0.1 * index)] for index, name in enumerate(NAMES)]
    write_labels(root, labels)
    subjects = {name: {"subject": name[:5], "view": Path(name).stem} for name in NAMES}
    (root / "subjects.json").write_text(json.dumps(subjects))
    return root


def write_labels(root: Path, labels: object) -> None:
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))


@pytest.fixture
def zipped(folder: Path) -> Callable[[int], Path]:
    """Pack the folder with a compression method."""

    def pack(compression: int = zipfile.ZIP_STORED) -> Path:
        target = folder.parent / "set.zip"
        with zipfile.ZipFile(target, "w", compression) as archive:
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    archive.write(file, file.relative_to(folder).as_posix())
        return target

    return pack
