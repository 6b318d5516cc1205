"""Two photographs of the public domain that packages ship, cut square around the head."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

_SIDE = 256


def _square(pixels: np.ndarray, left: int, top: int, side: int) -> Tensor:
    box = (left, top, left + side, top + side)
    cut = Image.fromarray(pixels).crop(box).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(cut)).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.fixture(scope="session")
def astronaut() -> Tensor:
    """scikit-image's, [1, 3, 256, 256] in [-1, 1]."""
    from skimage.data import astronaut

    return _square(astronaut(), 105, 5, 230)


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """matplotlib's Grace Hopper, uint8 [600, 512, 3]."""
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        pytest.skip("matplotlib, which ships the photograph, is not installed")
    path = Path(found.origin).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    with Image.open(path) as photo:
        return np.asarray(photo.convert("RGB"))


@pytest.fixture(scope="session")
def admiral(portrait: np.ndarray) -> Tensor:
    """Her head, [1, 3, 256, 256] in [-1, 1]."""
    return _square(portrait, 56, 0, 400)
