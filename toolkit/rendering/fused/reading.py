"""Triton functions: samples of a ray, what a tri-grid holds there, and the gradient's way back.

A tri-grid is a table of rows with CHANNELS numbers, one row per texel, ordered as [3, D, H, W]. CHANNELS and TILE (how
many points are read at a time) are powers of two.
"""

from __future__ import annotations

import triton
import triton.language as tl

_OUTSIDE = tl.constexpr(4.0)
"""A coordinate that no volume reaches."""


@triton.jit
def tile_of(tile: tl.tensor, count: tl.tensor, TILE: tl.constexpr) -> tl.tensor:
    """Which ray, and which of its samples [TILE]."""
    tiles = tl.cdiv(count, TILE)
    return tile // tiles, tile % tiles * TILE + tl.arange(0, TILE)


@triton.jit
def sample_points(
    origins: tl.tensor,
    directions: tl.tensor,
    depths: tl.tensor,
    ray: tl.tensor,
    places: tl.tensor,
    count: tl.tensor,
    scale: tl.tensor,
    crop: tl.tensor,
) -> tl.tensor:
    """Coordinates of a ray's samples in the tri-grid, and whether they lie inside the crop.

    Samples from `count` on do not exist: they lie outside all volumes.
    """
    exists = places < count
    depth = tl.load(depths + ray * count + places, mask=exists, other=0.0)
    x = tl.load(origins + ray * 3) + depth * tl.load(directions + ray * 3)
    y = tl.load(origins + ray * 3 + 1) + depth * tl.load(directions + ray * 3 + 1)
    z = tl.load(origins + ray * 3 + 2) + depth * tl.load(directions + ray * 3 + 2)
    kept = (tl.abs(x) <= crop) & (tl.abs(z) <= crop)
    return tl.where(exists, x * scale, _OUTSIDE), y * scale, tl.where(exists, z * scale, _OUTSIDE), kept


@triton.jit
def neighbours(coordinate: tl.tensor, upper: tl.tensor, SIZE: tl.constexpr) -> tl.tensor:
    """Lower or upper ones (0 or 1, [1, 8]) of two texels on a line of SIZE texels, and their shares (0: no texel)."""
    position = coordinate * (SIZE / 2) + (SIZE - 1) / 2
    position = tl.minimum(tl.maximum(position, -2.0), SIZE + 1.0)
    low = tl.floor(position)
    near = (position - low)[:, None]
    index = low.to(tl.int32)[:, None] + upper
    return index, tl.where((index >= 0) & (index < SIZE), tl.where(upper == 1, near, 1 - near), 0.0)


@triton.jit
def texels(
    x: tl.tensor,
    y: tl.tensor,
    z: tl.tensor,
    volume: tl.constexpr,
    DEPTH: tl.constexpr,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
) -> tl.tensor:
    """The eight texels round each point in a volume: rows of the table [TILE, 8], and shares of the reading."""
    if volume == 0:
        along_w, along_h, along_d = x, y, z
    elif volume == 1:
        along_w, along_h, along_d = x, z, y
    else:
        along_w, along_h, along_d = y, z, x
    corner = tl.arange(0, 8)[None, :]
    column, share_w = neighbours(along_w, corner % 2, WIDTH)
    line, share_h = neighbours(along_h, corner // 2 % 2, HEIGHT)
    slice_, share_d = neighbours(along_d, corner // 4, DEPTH)
    return ((volume * DEPTH + slice_) * HEIGHT + line) * WIDTH + column, share_w * share_h * share_d


@triton.jit
def read(
    table: tl.tensor,
    x: tl.tensor,
    y: tl.tensor,
    z: tl.tensor,
    TILE: tl.constexpr,
    CHANNELS: tl.constexpr,
    DEPTH: tl.constexpr,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
) -> tl.tensor:
    """Mean [TILE, CHANNELS] of the three readings at points."""
    total = tl.zeros([TILE, CHANNELS], dtype=tl.float32)
    channels = tl.arange(0, CHANNELS)[None, None, :]
    for volume in tl.static_range(3):
        rows, shares = texels(x, y, z, volume, DEPTH, HEIGHT, WIDTH)
        places = table + rows[:, :, None] * CHANNELS + channels
        found = tl.load(places, mask=(shares > 0)[:, :, None], other=0.0)
        total += tl.sum(shares[:, :, None] * found, axis=1)
    return total / 3


@triton.jit
def add_gradient(
    table: tl.tensor,
    gradient: tl.tensor,
    x: tl.tensor,
    y: tl.tensor,
    z: tl.tensor,
    CHANNELS: tl.constexpr,
    DEPTH: tl.constexpr,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
) -> tl.tensor:
    """Add the gradient [TILE, CHANNELS] of `read` to the texels that were read."""
    channels = tl.arange(0, CHANNELS)[None, None, :]
    third = (gradient / 3)[:, None, :]
    for volume in tl.static_range(3):
        rows, shares = texels(x, y, z, volume, DEPTH, HEIGHT, WIDTH)
        places = table + rows[:, :, None] * CHANNELS + channels
        tl.atomic_add(places, shares[:, :, None] * third, mask=(shares > 0)[:, :, None] & (third != 0), sem="relaxed")
