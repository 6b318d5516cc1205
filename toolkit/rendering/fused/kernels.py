"""Triton kernels of the forward pass: densities, and blended features.

Samples of one ray are worked on TILE at a time, each a row of channels; what is read and decoded stays in registers.
Rays are numbered through all views. Pointers: the table of texels (`reading`), of which a ray's head begins `head_size`
numbers after that of the view before (0: one head serves all views); origins and directions [rays, 3]; depths, and
whatever there is one of per sample, [rays, count]; weights as in `decoding`.
"""

from __future__ import annotations

import triton
import triton.language as tl

from toolkit.rendering.fused.decoding import activated, dense, density_of, softplus
from toolkit.rendering.fused.reading import read, sample_points, tile_of
from toolkit.rendering.marching import EMPTY_DENSITY

_EMPTY = tl.constexpr(EMPTY_DENSITY)


@triton.jit
def density_kernel(
    table: tl.tensor, origins: tl.tensor, directions: tl.tensor, depths: tl.tensor,
    first_weight: tl.tensor, first_bias: tl.tensor, density_weight: tl.tensor, density_bias: tl.tensor,
    densities: tl.tensor,
    count: tl.tensor, rays_per_view: tl.tensor, head_size: tl.tensor, scale: tl.tensor, crop: tl.tensor,
    CHANNELS: tl.constexpr, HIDDEN: tl.constexpr,
    DEPTH: tl.constexpr, HEIGHT: tl.constexpr, WIDTH: tl.constexpr,
    TILE: tl.constexpr, PRECISION: tl.constexpr,
) -> tl.tensor:  # fmt: skip
    """Raw densities [rays, count], empty outside the crop; one program per tile."""
    ray, places = tile_of(tl.program_id(0), count, TILE)
    x, y, z, kept = sample_points(origins, directions, depths, ray, places, count, scale, crop)
    head = table + (ray // rays_per_view).to(tl.int64) * head_size
    rows = read(head, x, y, z, TILE, CHANNELS, DEPTH, HEIGHT, WIDTH)
    hidden = softplus(dense(rows, first_weight, first_bias, HIDDEN, CHANNELS, PRECISION))
    density = tl.where(kept, density_of(hidden, density_weight, density_bias, HIDDEN), _EMPTY)
    tl.store(densities + ray * count + places, density, mask=places < count)


@triton.jit
def blend_kernel(
    table: tl.tensor, origins: tl.tensor, directions: tl.tensor, depths: tl.tensor,
    first_weight: tl.tensor, first_bias: tl.tensor, feature_weight: tl.tensor, feature_bias: tl.tensor,
    nodes: tl.tensor, blended: tl.tensor,
    count: tl.tensor, rays_per_view: tl.tensor, head_size: tl.tensor, scale: tl.tensor, crop: tl.tensor,
    CHANNELS: tl.constexpr, HIDDEN: tl.constexpr, FEATURES: tl.constexpr,
    DEPTH: tl.constexpr, HEIGHT: tl.constexpr, WIDTH: tl.constexpr,
    TILE: tl.constexpr, PRECISION: tl.constexpr, ACTIVATION: tl.constexpr,
) -> tl.tensor:  # fmt: skip
    """Features [rays, FEATURES] summed over samples with weights `nodes`; one program per ray."""
    ray = tl.program_id(0)
    head = table + (ray // rays_per_view).to(tl.int64) * head_size
    total = tl.zeros([FEATURES], dtype=tl.float32)
    for first in range(0, count, TILE):
        places = first + tl.arange(0, TILE)
        x, y, z, _ = sample_points(origins, directions, depths, ray, places, count, scale, crop)
        rows = read(head, x, y, z, TILE, CHANNELS, DEPTH, HEIGHT, WIDTH)
        hidden = softplus(dense(rows, first_weight, first_bias, HIDDEN, CHANNELS, PRECISION))
        features = activated(dense(hidden, feature_weight, feature_bias, FEATURES, HIDDEN, PRECISION), ACTIVATION)
        node = tl.load(nodes + ray * count + places, mask=places < count, other=0.0)
        total += tl.sum(node[:, None] * features, axis=0)
    tl.store(blended + ray * FEATURES + tl.arange(0, FEATURES), total)
