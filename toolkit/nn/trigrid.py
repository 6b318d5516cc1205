"""Tri-grid: three volumes with few slices each, read at points of the cube [-1, 1]^3.

Axes of the volumes (W, H, D): (x, y, z), (x, z, y), (y, z, x). Points outside a volume fade to zero over half a texel.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

AXES = ((0, 1, 2), (0, 2, 1), (1, 2, 0))
"""Coordinate that runs along W, H and D of each volume."""


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

    There may be more volumes than batches of points: these read the first ones, and gradients say nothing of the rest.

    On CPUs, the 24 texels round a point are gathered as rows of C channels, weighted and added in one step: quickest
    with volumes laid out by `channels_fastest`. The result's memory then holds one row of channels per point, too.
    """
    square = volumes.shape[-1] == volumes.shape[-2]
    if volumes.device.type != "cpu" or volumes.dtype not in (torch.float32, torch.float64) or not square:
        return read_trigrid_reference(volumes, points)
    batch, channels = points.shape[0], volumes.shape[2]
    table = volumes.permute(0, 1, 3, 4, 5, 2).reshape(-1, channels)
    if points.requires_grad:
        read = _WeightedRows.apply(table, *_corners(points, volumes.shape[3:]))
    else:
        read = _FixedRows.apply(table, points, volumes.shape[3:])
    return read.unflatten(0, (batch, -1)).transpose(1, 2)


class _WeightedRows(torch.autograd.Function):
    """Sum of 24 rows of a table for each of P points, rows and shares as `_corners` gives them.

    Its gradient sums over points: they are sorted by their first texel, once for all eight corners, and then summed
    like rows of a table, too, cell by touched cell: several times as fast as adding them to their texels one by one.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, shares: Tensor) -> Tensor:
        ctx.save_for_backward(table, rows, shares)
        return F.embedding_bag(rows, table, mode="sum", per_sample_weights=shares)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
        table, rows, shares = ctx.saved_tensors
        to_table = _scattered(gradient.contiguous(), rows, shares, len(table)) if ctx.needs_input_grad[0] else None
        to_shares = (table[rows] @ gradient[..., None])[..., 0] if ctx.needs_input_grad[2] else None
        return to_table, None, to_shares


class _FixedRows(torch.autograd.Function):
    """The same at points without gradients: keeps them, and computes rows and shares, 16 times as large, again."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, points: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(points)
        ctx.shape, ctx.count = shape, len(table)
        rows, shares = _corners(points, shape)
        return F.embedding_bag(rows, table, mode="sum", per_sample_weights=shares)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (points,) = ctx.saved_tensors
        return _scattered(gradient.contiguous(), *_corners(points, ctx.shape), ctx.count), None, None


def _scattered(gradient: Tensor, rows: Tensor, shares: Tensor, count: int) -> Tensor:
    """Add rows of a gradient [P, C], weighted with shares [P, 24], to rows [P, 24] of a table [count, C]."""
    result = gradient.new_zeros(count, gradient.shape[1])
    if not len(rows):
        return result
    first, order = rows[:, :3].flatten().sort()
    points = torch.div(order, 3, rounding_mode="floor").to(rows.dtype)
    cells, sizes = torch.unique_consecutive(first, return_counts=True)
    bounds = F.pad(sizes.cumsum(0), (1, 0)).to(rows.dtype)
    cells = cells.long()[:, None]
    for step, share in zip(rows[0, ::3] - rows[0, 0], shares.unflatten(1, (8, 3)).unbind(1), strict=True):
        weights = share.flatten()[order]
        part = F.embedding_bag(
            points, gradient, bounds, mode="sum", per_sample_weights=weights, include_last_offset=True
        )
        texels = (cells + int(step)).expand(-1, gradient.shape[1])  # of stride 0, for which PyTorch adds whole rows
        result.scatter_add_(0, texels, part)  # each texel once: no order of adding to depend on
    return result


def read_trigrid_reference(volumes: Tensor, points: Tensor) -> Tensor:
    """Slow twin of `read_trigrid`: the three readings one by one, then their mean."""
    return sample_volumes(volumes[: len(points)], points).mean(dim=1)


def _corners(points: Tensor, shape: torch.Size) -> tuple[Tensor, Tensor]:
    """Where points read, and with which shares of the mean.

    All steps but the last have points side by side in memory, which is what vector instructions want.

    Args:
        points: [B, M, 3] in [-1, 1].
        shape: (D, H, W) of a volume, of which H and W are equal.

    Returns:
        Rows [B M, 24] of a table of B x 3 x D x H x W texels, and shares [B M, 24].
    """
    batch, count, _ = points.shape
    depth, side = shape[0], shape[2]
    x, y, z = points.flatten(0, 1).unbind(dim=1)
    lines = torch.stack([x, y, z, z, y, x])  # x, y, z along H and W, then along D of each volume
    low, shares = _line_shares(lines, [side] * 3 + [depth] * 3)
    at_w, at_h = (torch.tensor(axes[:3], device=points.device) for axes in ((0, 0, 1), (1, 2, 2)))
    along_w, along_h, along_d = shares.index_select(1, at_w), shares.index_select(1, at_h), shares[:, 3:]
    shares = along_d[:, None, None] * ((along_h / 3)[:, None] * along_w)
    kind = torch.int32 if batch * 3 * math.prod(shape) < 2**31 else torch.int64
    low = low.to(kind)
    volume = torch.arange(3, dtype=kind, device=points.device)[:, None] * math.prod(shape)
    first = low.index_select(0, at_w) + low.index_select(0, at_h) * side + low[3:] * side**2 + volume
    if batch > 1:
        first += torch.arange(batch, dtype=kind, device=points.device).repeat_interleave(count) * (3 * math.prod(shape))
    steps = torch.tensor([0, side**2 if depth > 1 else 0], dtype=kind, device=points.device)[:, None, None]
    steps = steps + torch.tensor(
        [[0, 1], [side, side + 1]] if side > 1 else [[0, 0]] * 2, dtype=kind, device=points.device
    )
    rows = first + steps[..., None, None]
    return rows.flatten(0, 3).t().contiguous(), shares.flatten(0, 3).t().contiguous()


def _line_shares(coordinates: Tensor, sizes: list[int]) -> tuple[Tensor, Tensor]:
    """The lower one [K, M] of two neighbouring texels on each of K lines, and the shares [2, K, M] of both.

    Outside, both shares fade to 0; a coordinate that is not a number reads nothing.
    """
    size = torch.tensor(sizes, dtype=coordinates.dtype, device=coordinates.device)[:, None]
    position = (coordinates * (size / 2)).add_((size - 1) / 2)
    position = torch.fmax(position, position.new_tensor(-4.0))
    low = torch.minimum(position.detach().floor().clamp_(min=0), (size - 2).clamp_(min=0))
    near = position - low
    both = torch.stack([near, near - 1])
    if both.requires_grad:  # on a texel, the slope is that of the side above it
        below, reached = both.detach() < 0, (both.detach() >= -1) & (both.detach() < 1)
        shares = (1 + torch.where(below, both, -both)) * reached
    else:
        shares = both.abs_().neg_().add_(1).clamp_(min=0)
    if min(sizes) == 1:
        shares = shares * torch.stack([torch.ones_like(size), (size > 1).to(size)])
    return low, shares


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
