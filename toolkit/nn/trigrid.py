"""Tri-grid: three volumes with few slices each, read at points of the cube [-1, 1]^3.

Axes of the volumes (W, H, D): (x, y, z), (x, z, y), (y, z, x). Points outside a volume fade to zero over half a texel.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

AXES = ((0, 1, 2), (0, 2, 1), (1, 2, 0))
"""Coordinate that runs along W, H and D of each volume."""
_AXIS_ORDER = [axis for axes in AXES for axis in axes]


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
    """Mean over the three readings, [B, C, M]; volumes and points as in `sample_volumes`.

    On CPUs, the 24 texels round a point are gathered as rows of C channels, weighted and added in one step: quickest
    with volumes laid out by `channels_fastest`. The result's memory then holds one row of channels per point, too.
    """
    if volumes.device.type != "cpu" or volumes.dtype not in (torch.float32, torch.float64):
        return read_trigrid_reference(volumes, points)
    batch, _, channels, depth, height, width = volumes.shape
    table = volumes.permute(0, 1, 3, 4, 5, 2).reshape(-1, channels)
    rows, shares = _corners(points, (depth, height, width))
    read = F.embedding_bag(rows.flatten(0, 1), table, mode="sum", per_sample_weights=shares.flatten(0, 1))
    return read.unflatten(0, (batch, -1)).transpose(1, 2)


def read_trigrid_reference(volumes: Tensor, points: Tensor) -> Tensor:
    """Slow twin of `read_trigrid`: the three readings one by one, then their mean."""
    return sample_volumes(volumes, points).mean(dim=1)


def _corners(points: Tensor, shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Where points [B, M, 3] read: rows [B, M, 24] of a table of B x 3 x D x H x W texels, and their shares of the mean."""
    batch, count, _ = points.shape
    sizes = torch.tensor(shape[::-1], dtype=points.dtype, device=points.device)
    grid = points[..., _AXIS_ORDER].unflatten(-1, (3, 3))
    position = ((grid + 1) * sizes - 1) / 2
    # far outside nothing is read, wherever it is; not a number reads nothing, as elsewhere
    position = torch.maximum(torch.minimum(position.nan_to_num(nan=-2.0), sizes + 1), sizes.new_tensor(-2.0))
    low = position.detach().floor()
    fraction = position - low
    shares = torch.stack([(1 - fraction) * _inside(low, sizes), fraction * _inside(low + 1, sizes)], dim=-1)
    along_w, along_h, along_d = shares.unbind(dim=-2)
    square = (along_h / 3)[..., :, None] * along_w[..., None, :]
    shares = along_d[..., :, None, None] * square[..., None, :, :]
    ends = torch.stack([low, low + 1], dim=-1).clamp(min=0).minimum((sizes - 1)[:, None])
    texels = math.prod(shape)
    kind = torch.int32 if batch * 3 * texels < 2**31 else torch.int64
    strides = torch.tensor([1, shape[2], shape[1] * shape[2]], dtype=kind, device=points.device)
    at_w, at_h, at_d = (ends.to(kind) * strides[:, None]).unbind(dim=-2)
    volume = torch.arange(3 * batch, dtype=kind, device=points.device).reshape(batch, 1, 3) * texels
    line = at_d + volume[..., None]
    rows = line[..., :, None, None] + (at_h[..., :, None] + at_w[..., None, :])[..., None, :, :]
    return rows.reshape(batch, count, 24), shares.reshape(batch, count, 24)


def _inside(index: Tensor, sizes: Tensor) -> Tensor:
    return ((index >= 0) & (index < sizes)).to(index.dtype)


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
