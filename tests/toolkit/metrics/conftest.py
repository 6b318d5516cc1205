"""Pairs of pictures, and somebody else's implementations without their warnings."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor


@pytest.fixture(scope="session")
def pair() -> tuple[Tensor, Tensor]:
    """Two pictures [2, 3, 192, 176] in [-1, 1]: smooth, and the same with noise and a shift in brightness."""
    source = torch.Generator().manual_seed(3)
    coarse = torch.rand(2, 3, 12, 11, generator=source) * 2 - 1
    image = torch.nn.functional.interpolate(coarse, (192, 176), mode="bicubic").clamp(-1, 1)
    noisy = image + 0.15 * torch.randn(image.shape, generator=source) + 0.05
    return noisy.clamp(-1, 1), image
