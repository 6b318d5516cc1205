"""Tri-grid: three volumes with few slices each, read at points of the cube [-1, 1]^3.

Axes of the volumes (W, H, D): (x, y, z), (x, z, y), (y, z, x). Points outside a volume fade to zero over half a texel.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

AXES = ((0, 1, 2), (0, 2, 1), (1, 2, 0))
"""Coordinate that runs along W, H and D of each volume."""


def as_volumes(planes: Tensor, depth: int) -> Tensor:
    """View planes [B, 3, C depth, H, W] (depth fastest) as volumes [B, 3, C, depth, H, W]."""
    batch, count, channels, height, width = planes.shape
    return planes.reshape(batch, count, channels // depth, depth, height, width)


def channels_fastest(volumes: Tensor) -> Tensor:
    """The same volumes, laid out so that the channels of one texel are neighbours in memory: quicker to read."""
    flat = volumes.flatten(0, 1).contiguous(memory_format=torch.channels_last_3d)
    return flat.unflatten(0, volumes.shape[:2])


def volume_coordinates(points: Tensor) -> Tensor:
    """Arrange points [B, M, 3] for each volume: [B, 3, M, 3], last axis (W, H, D)."""
    x, y, z = points.unbind(dim=-1)
    return torch.stack([x, y, z, x, z, y, y, z, x], dim=-1).unflatten(-1, (3, 3)).transpose(1, 2)


def sample_volumes(volumes: Tensor, points: Tensor) -> Tensor:
    """Read volumes trilinearly.

    Args:
        volumes: [B, 3, C, D, H, W].
        points: [B, M, 3] in [-1, 1] (corners of the cube are outer borders of texels).

    Returns:
        [B, 3, C, M], one reading per volume.
    """
    batch, count, channels = volumes.shape[:3]
    grid = volume_coordinates(points).reshape(batch * count, 1, 1, -1, 3)
    read = F.grid_sample(volumes.flatten(0, 1), grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return read.reshape(batch, count, channels, -1)


def read_trigrid(volumes: Tensor, points: Tensor) -> Tensor:
    """Mean over the three readings, [B, C, M]; volumes and points as in `sample_volumes`."""
    return sample_volumes(volumes, points).mean(dim=1)


def footprint(points: Tensor, shape: tuple[int, int, int], weights: Tensor | None = None) -> Tensor:
    """Accumulate where and how strongly points are read: the adjoint of summed `sample_volumes`.

    Args:
        points: [B, M, 3] in [-1, 1].
        shape: (D, H, W) of a volume.
        weights: [B, M] weight of each point; None: all 1.

    Returns:
        [B, 3, D, H, W], sums of interpolation weights.
    """
    with torch.inference_mode(False), torch.enable_grad():  # works for callers in inference mode, too
        points = points.detach().clone()
        volumes = points.new_zeros(points.shape[0], 3, 1, *shape).requires_grad_()
        read = sample_volumes(volumes, points)
        cotangent = torch.ones_like(read) if weights is None else weights.detach()[:, None, None].expand_as(read)
        (gradient,) = torch.autograd.grad(read, volumes, cotangent.to(read.dtype, copy=True).contiguous())
    return gradient[:, :, 0]


def footprint_reference(points: Tensor, shape: tuple[int, int, int], weights: Tensor | None = None) -> Tensor:
    """Slow twin of `footprint`: add the eight corner weights of each point one corner at a time."""
    batch, count, _ = points.shape
    weights = points.new_ones(batch, count) if weights is None else weights
    result = points.new_zeros(batch, 3, *shape)
    sizes = torch.tensor(shape[::-1], device=points.device)
    positions = ((volume_coordinates(points) + 1) * sizes - 1) / 2
    low = positions.floor()
    for corner in range(8):
        offset = torch.tensor([corner >> axis & 1 for axis in range(3)], device=points.device)
        index = (low + offset).long()
        share = torch.where(offset.bool(), positions - low, 1 - (positions - low)).prod(dim=-1)
        inside = ((index >= 0) & (index < sizes)).all(dim=-1)
        w, h, d = torch.where(inside[..., None], index, 0).unbind(dim=-1)
        which = torch.arange(batch, device=points.device)[:, None, None].expand_as(w)
        plane = torch.arange(3, device=points.device)[None, :, None].expand_as(w)
        result.index_put_((which, plane, d, h, w), share * inside * weights[:, None], accumulate=True)
    return result
