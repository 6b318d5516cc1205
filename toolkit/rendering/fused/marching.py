"""Marching along rays through a tri-grid: what a sample reads and decodes to is never kept, but computed again.

`toolkit.rendering.marching.march` is the readable twin. Kept for the backward pass are volumes, weights, rays, and two
numbers per sample (depth and raw density) instead of some hundred channels.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from toolkit.nn.decoder import DecoderWeights
from toolkit.rendering.fused import launching
from toolkit.rendering.fused.launching import Bundle, Weights
from toolkit.rendering.marching import Marched, MarchSettings, finished, interval_weights, node_weights, sample_depths
from toolkit.rendering.rays import Rays
from toolkit.rendering.sampling import FIXED_DRAWS, Draws, importance_depths
from toolkit.rendering.trigrid_field import TrigridField

_LEAST_SIZE = 16
"""Of a side of the matrices that a GPU multiplies."""


def march_fused(field: TrigridField, rays: Rays, settings: MarchSettings, *, draws: Draws = FIXED_DRAWS) -> Marched:
    """Render features, depth and opacity of a field along rays; gradients go to volumes and decoder, not to rays.

    Args:
        field: What is rendered; float32.
        rays: Origins and directions, without gradients.
        settings: Where to sample.
        draws: Random numbers; fixed by default.
    """
    with torch.cuda.device_of(field.volumes):  # Triton's is the current device
        return _marched(field, rays, settings, draws)


def _marched(field: TrigridField, rays: Rays, settings: MarchSettings, draws: Draws) -> Marched:
    batch, count, _ = rays.directions.shape
    table, weights = _table(field.volumes), _weights(field.decoder)
    bundle = _bundle(field, rays)
    coarse, importance = sample_depths(rays, settings, draws)
    with torch.no_grad():
        depths, densities = _sampled(table, weights, bundle, coarse.flatten(0, 1), importance)
    blended, depth_sum, opacity = _Blended.apply(bundle, depths, densities, table, *weights)
    features = blended[:, : len(field.decoder.last_bias) - 1].unflatten(0, (batch, count)).transpose(1, 2)
    depth_sum, opacity = depth_sum.view(batch, count), opacity.view(batch, count)
    return finished(features, depth_sum, opacity, depths.amin(), depths.amax(), settings)


def _sampled(
    table: Tensor, weights: Weights, bundle: Bundle, coarse: Tensor, importance: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Sorted depths of all samples of N rays, and raw densities there, from coarse depths [N, S]: both passes."""
    coarse = coarse.contiguous()
    first = launching.densities(table, bundle, coarse, weights)
    if importance is None:
        return coarse, first
    fine = importance_depths(coarse, interval_weights(coarse, first), importance.flatten(0, 1)).contiguous()
    second = launching.densities(table, bundle, fine, weights)
    depths, order = torch.cat([coarse, fine], dim=-1).sort(dim=-1)
    return depths, torch.cat([first, second], dim=-1).gather(-1, order)


class _Blended(torch.autograd.Function):
    """Features [N, F], sum of depths [N] and opacity [N] of N rays from sorted depths [N, S] and densities there."""

    @staticmethod
    def forward(
        ctx: Any, bundle: Bundle, depths: Tensor, densities: Tensor, table: Tensor, *weights: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.bundle = bundle
        ctx.save_for_backward(depths, densities, table, *weights)
        nodes, depth_sum, opacity = _sums(depths, densities)
        return launching.blended(table, bundle, depths, Weights(*weights), nodes), depth_sum, opacity

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_blended: Tensor, to_depth: Tensor, to_opacity: Tensor) -> tuple[Tensor | None, ...]:
        depths, densities, table, *rest = ctx.saved_tensors
        weights, to_blended = Weights(*rest), to_blended.contiguous()
        to_nodes = launching.projections(table, ctx.bundle, depths, weights, to_blended)
        with torch.enable_grad():
            densities = densities.detach().requires_grad_()
            sums = _sums(depths, densities)
            (to_densities,) = torch.autograd.grad(sums, densities, (to_nodes, to_depth, to_opacity))
        to_table, to_weights = launching.gradients(
            table, ctx.bundle, depths, weights, sums[0].detach(), to_blended, to_densities,
            of_table=ctx.needs_input_grad[3], of_weights=any(ctx.needs_input_grad[4:]),
        )  # fmt: skip
        return None, None, None, to_table, *(to_weights or (None,) * len(weights))


def _sums(depths: Tensor, densities: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each sample's weight [N, S], sum of depths [N] and opacity [N]."""
    weights = interval_weights(depths, densities)
    middles = (depths[:, 1:] + depths[:, :-1]) / 2
    return node_weights(weights), (weights * middles).sum(dim=-1), weights.sum(dim=-1)


def _bundle(field: TrigridField, rays: Rays) -> Bundle:
    count = rays.directions.shape[1]
    return Bundle(
        rays.origins.expand_as(rays.directions).reshape(-1, 3).contiguous(),
        rays.directions.reshape(-1, 3).contiguous(),
        count,
        field.scale,
        math.inf if field.crop is None else field.crop,
        field.decoder.activation,
        "tf32" if torch.backends.cuda.matmul.allow_tf32 else "ieee",
    )


def _table(volumes: Tensor) -> Tensor:
    """Volumes [B, 3, C, D, H, W] as texels [B, 3, D, H, W, C'] with C' channels side by side."""
    return _padded(volumes.permute(0, 1, 3, 4, 5, 2), -1).contiguous()


def _weights(decoder: DecoderWeights) -> Weights:
    """Density and features apart. What fills sizes up is 0 and changes nothing."""
    first = _padded(_padded(decoder.first_weight, 0), 1)
    last = _padded(decoder.last_weight, 1)
    return Weights(
        first.contiguous(),
        _padded(decoder.first_bias, 0).contiguous(),
        last[0].contiguous(),
        decoder.last_bias[:1].contiguous(),
        _padded(last[1:], 0).contiguous(),
        _padded(decoder.last_bias[1:], 0).contiguous(),
    )


def _padded(tensor: Tensor, dim: int) -> Tensor:
    """Zeros at the end of a dimension, up to a power of two from 16 on."""
    size = tensor.shape[dim]
    missing = max(_LEAST_SIZE, 1 << (size - 1).bit_length()) - size
    if not missing:
        return tensor
    sides = [0, 0] * (tensor.ndim - 1 - dim % tensor.ndim) + [0, missing]
    return F.pad(tensor, sides)
