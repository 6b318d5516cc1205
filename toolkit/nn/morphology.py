"""Closing and blurring of occupancies; everything but the last two axes is batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

GAUSSIAN_RADIUS = 4
GAUSSIAN_SIGMA = 1.5


def close(occupancy: Tensor, radius: int) -> Tensor:
    """Fill gaps of a 0/1 occupancy [..., H, W]: maximum, then minimum over a square of side 2 radius + 1."""
    if radius <= 0:
        return occupancy
    flat = occupancy.reshape(-1, 1, *occupancy.shape[-2:])
    side = 2 * radius + 1
    wide = F.max_pool2d(flat, side, stride=1, padding=radius)
    closed = -F.max_pool2d(-wide, side, stride=1, padding=radius)
    return closed.reshape(occupancy.shape)


def smooth(occupancy: Tensor, sigma: float = GAUSSIAN_SIGMA) -> Tensor:
    """Blur [..., H, W] by a 9x9 Gaussian of deviation `sigma` texels, borders reflected."""
    flat = occupancy.reshape(-1, 1, *occupancy.shape[-2:])
    offsets = torch.arange(-GAUSSIAN_RADIUS, GAUSSIAN_RADIUS + 1, device=flat.device, dtype=flat.dtype)
    line = torch.exp(-0.5 * (offsets / sigma) ** 2)
    line = line / line.sum()
    padded = F.pad(flat, (GAUSSIAN_RADIUS,) * 4, mode="reflect")
    blurred = F.conv2d(F.conv2d(padded, line[None, None, None, :]), line[None, None, :, None])
    return blurred.reshape(occupancy.shape)
