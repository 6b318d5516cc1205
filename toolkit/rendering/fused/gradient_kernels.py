"""Triton kernels of the backward pass. Pointers as in `kernels`; `to_x` is the gradient of x.

What the forward pass read and decoded at a sample is computed again.
"""

from __future__ import annotations

import triton
import triton.language as tl

from toolkit.rendering.fused.decoding import activated, activation_slope, dense, matrix, softplus
from toolkit.rendering.fused.reading import add_gradient, read, sample_points, tile_of


@triton.jit
def projection_kernel(
    table: tl.tensor, origins: tl.tensor, directions: tl.tensor, depths: tl.tensor,
    first_weight: tl.tensor, first_bias: tl.tensor, feature_weight: tl.tensor, feature_bias: tl.tensor,
    to_blended: tl.tensor, projections: tl.tensor,
    count: tl.tensor, rays_per_view: tl.tensor, head_size: tl.tensor, scale: tl.tensor, crop: tl.tensor,
    CHANNELS: tl.constexpr, HIDDEN: tl.constexpr, FEATURES: tl.constexpr,
    DEPTH: tl.constexpr, HEIGHT: tl.constexpr, WIDTH: tl.constexpr,
    TILE: tl.constexpr, PRECISION: tl.constexpr, ACTIVATION: tl.constexpr,
) -> tl.tensor:  # fmt: skip
    """The gradient [rays, count] of `nodes`: features times the gradient of what was blended; one program per tile."""
    ray, places = tile_of(tl.program_id(0), count, TILE)
    x, y, z, _ = sample_points(origins, directions, depths, ray, places, count, scale, crop)
    head = table + (ray // rays_per_view).to(tl.int64) * head_size
    rows = read(head, x, y, z, TILE, CHANNELS, DEPTH, HEIGHT, WIDTH)
    hidden = softplus(dense(rows, first_weight, first_bias, HIDDEN, CHANNELS, PRECISION))
    features = activated(dense(hidden, feature_weight, feature_bias, FEATURES, HIDDEN, PRECISION), ACTIVATION)
    gradient = tl.load(to_blended + ray * FEATURES + tl.arange(0, FEATURES))
    projection = tl.sum(features * gradient[None, :], axis=1)
    tl.store(projections + ray * count + places, projection, mask=places < count)


@triton.jit
def store(
    matrices: tl.tensor, number: tl.tensor, values: tl.tensor, OUTPUTS: tl.constexpr, INPUTS: tl.constexpr
) -> tl.tensor:
    """Write values [OUTPUTS, INPUTS] as one of many matrices."""
    rows = number * OUTPUTS + tl.arange(0, OUTPUTS)
    tl.store(matrices + rows[:, None] * INPUTS + tl.arange(0, INPUTS)[None, :], values)


@triton.jit
def gradient_kernel(
    table: tl.tensor, origins: tl.tensor, directions: tl.tensor, depths: tl.tensor,
    first_weight: tl.tensor, first_bias: tl.tensor, density_weight: tl.tensor,
    feature_weight: tl.tensor, feature_bias: tl.tensor,
    nodes: tl.tensor, to_blended: tl.tensor, to_densities: tl.tensor,
    to_table: tl.tensor, to_first_weight: tl.tensor, to_first_bias: tl.tensor,
    to_density_weight: tl.tensor, to_density_bias: tl.tensor, to_feature_weight: tl.tensor, to_feature_bias: tl.tensor,
    tiles: tl.tensor, count: tl.tensor, rays_per_view: tl.tensor, head_size: tl.tensor,
    scale: tl.tensor, crop: tl.tensor,
    CHANNELS: tl.constexpr, HIDDEN: tl.constexpr, FEATURES: tl.constexpr,
    DEPTH: tl.constexpr, HEIGHT: tl.constexpr, WIDTH: tl.constexpr,
    TILE: tl.constexpr, PRECISION: tl.constexpr, ACTIVATION: tl.constexpr,
    OF_TABLE: tl.constexpr, OF_WEIGHTS: tl.constexpr,
) -> tl.tensor:  # fmt: skip
    """Gradients of the table (added to it) and of the weights, from those of blended features and densities.

    Tiles are dealt out to programs in turn. Each writes its own sum of the weights' gradients, [programs, ...].
    """
    program = tl.program_id(0)
    sum_first = tl.zeros([HIDDEN, CHANNELS], dtype=tl.float32)
    sum_first_bias = tl.zeros([HIDDEN], dtype=tl.float32)
    sum_density = tl.zeros([HIDDEN], dtype=tl.float32)
    sum_density_bias = tl.zeros([TILE], dtype=tl.float32)
    sum_features = tl.zeros([FEATURES, HIDDEN], dtype=tl.float32)
    sum_feature_bias = tl.zeros([FEATURES], dtype=tl.float32)
    for tile in range(program, tiles, tl.num_programs(0)):
        ray, places = tile_of(tile, count, TILE)
        x, y, z, kept = sample_points(origins, directions, depths, ray, places, count, scale, crop)
        offset = (ray // rays_per_view).to(tl.int64) * head_size
        rows = read(table + offset, x, y, z, TILE, CHANNELS, DEPTH, HEIGHT, WIDTH)
        before = dense(rows, first_weight, first_bias, HIDDEN, CHANNELS, PRECISION)
        hidden = softplus(before)
        raw = dense(hidden, feature_weight, feature_bias, FEATURES, HIDDEN, PRECISION)

        exists = places < count
        node = tl.load(nodes + ray * count + places, mask=exists, other=0.0)
        to_density = tl.load(to_densities + ray * count + places, mask=exists & kept, other=0.0)
        gradient = tl.load(to_blended + ray * FEATURES + tl.arange(0, FEATURES))
        to_raw = node[:, None] * gradient[None, :] * activation_slope(raw, ACTIVATION)
        density_row = tl.load(density_weight + tl.arange(0, HIDDEN))
        to_hidden = tl.dot(to_raw, matrix(feature_weight, FEATURES, HIDDEN), input_precision=PRECISION)
        to_before = (to_hidden + to_density[:, None] * density_row[None, :]) * tl.sigmoid(before)
        if OF_TABLE:
            to_rows = tl.dot(to_before, matrix(first_weight, HIDDEN, CHANNELS), input_precision=PRECISION)
            add_gradient(to_table + offset, to_rows, x, y, z, CHANNELS, DEPTH, HEIGHT, WIDTH)
        if OF_WEIGHTS:
            sum_first += tl.dot(tl.trans(to_before), rows, input_precision=PRECISION)
            sum_first_bias += tl.sum(to_before, axis=0)
            sum_density += tl.sum(to_density[:, None] * hidden, axis=0)
            sum_density_bias += to_density
            sum_features += tl.dot(tl.trans(to_raw), hidden, input_precision=PRECISION)
            sum_feature_bias += tl.sum(to_raw, axis=0)
    if OF_WEIGHTS:
        store(to_first_weight, program, sum_first, HIDDEN, CHANNELS)
        store(to_feature_weight, program, sum_features, FEATURES, HIDDEN)
        inner = program * HIDDEN + tl.arange(0, HIDDEN)
        tl.store(to_first_bias + inner, sum_first_bias)
        tl.store(to_density_weight + inner, sum_density)
        tl.store(to_density_bias + program, tl.sum(sum_density_bias, axis=0))
        tl.store(to_feature_bias + program * FEATURES + tl.arange(0, FEATURES), sum_feature_bias)
