"""Kernels called with tensors: one function per kernel, which knows its grid and makes room for its results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from toolkit.rendering.fused import gradient_kernels, kernels

TILE = 16
"""Samples that a program works on at a time."""
PROGRAMS = 512
"""Most programs that share the gradients' tiles; each has sums of the weights' gradients of its own."""
OPTIONS = {"num_warps": 4, "num_stages": 1, "enable_fp_fusion": False}
"""More stages would fetch texels ahead, into more shared memory than a GPU has; fused products would move samples."""
WIDER = {"num_warps": 8}
"""With four warps, the gradients of a tile do not fit into registers."""


class Weights(NamedTuple):
    """A decoder cut into rows for the density and for features; sizes are powers of two from 16 on."""

    first_weight: Tensor
    """[H, C]."""
    first_bias: Tensor
    """[H]."""
    density_weight: Tensor
    """[H]."""
    density_bias: Tensor
    """[1]."""
    feature_weight: Tensor
    """[F, H]."""
    feature_bias: Tensor
    """[F]."""


@dataclass(frozen=True)
class Bundle:
    """Rays of all views, one after the other, and what is the same for every kernel."""

    origins: Tensor
    """[N, 3], world units."""
    directions: Tensor
    """[N, 3]."""
    rays_per_view: int
    scale: float
    crop: float
    activation: str
    precision: str
    """Of matrix products: 'ieee' or 'tf32'."""

    def sizes(self, table: Tensor, depths: Tensor, weights: Weights) -> dict[str, Any]:
        """Every kernel's numbers; table [1 or B, 3, D, H, W, C], depths [N, S]."""
        heads, _, depth, height, width, channels = table.shape
        return {
            "count": depths.shape[1],
            "rays_per_view": self.rays_per_view,
            "head_size": table[0].numel() if heads > 1 else 0,
            "scale": self.scale,
            "crop": self.crop,
            "CHANNELS": channels,
            "HIDDEN": len(weights.first_bias),
            "DEPTH": depth,
            "HEIGHT": height,
            "WIDTH": width,
            "TILE": TILE,
            "PRECISION": self.precision,
            **OPTIONS,
        }

    def with_features(self, table: Tensor, depths: Tensor, weights: Weights) -> dict[str, Any]:
        """The same for kernels that compute features."""
        sizes = self.sizes(table, depths, weights)
        return {**sizes, "FEATURES": len(weights.feature_bias), "ACTIVATION": self.activation}


def densities(table: Tensor, bundle: Bundle, depths: Tensor, weights: Weights) -> Tensor:
    """Raw densities [N, S] at depths [N, S], empty outside the crop."""
    found = torch.empty_like(depths)
    kernels.density_kernel[(_tiles(depths),)](
        table, bundle.origins, bundle.directions, depths, *weights[:4], found, **bundle.sizes(table, depths, weights)
    )
    return found


def blended(table: Tensor, bundle: Bundle, depths: Tensor, weights: Weights, nodes: Tensor) -> Tensor:
    """Features [N, F], summed over samples at depths [N, S] with weights `nodes` [N, S]."""
    found = depths.new_empty(len(depths), len(weights.feature_bias))
    kernels.blend_kernel[(len(depths),)](
        table, bundle.origins, bundle.directions, depths, *weights[:2], *weights[4:], nodes, found,
        **bundle.with_features(table, depths, weights),
    )  # fmt: skip
    return found


def projections(table: Tensor, bundle: Bundle, depths: Tensor, weights: Weights, to_blended: Tensor) -> Tensor:
    """The gradient [N, S] of `blended`'s weights, from that of its result [N, F]."""
    found = torch.empty_like(depths)
    gradient_kernels.projection_kernel[(_tiles(depths),)](
        table, bundle.origins, bundle.directions, depths, *weights[:2], *weights[4:], to_blended, found,
        **bundle.with_features(table, depths, weights),
    )  # fmt: skip
    return found


def gradients(
    table: Tensor,
    bundle: Bundle,
    depths: Tensor,
    weights: Weights,
    nodes: Tensor,
    to_blended: Tensor,
    to_densities: Tensor,
    *,
    of_table: bool,
    of_weights: bool,
) -> tuple[Tensor | None, Weights | None]:
    """Gradients of table and weights, from those of `blended`'s result [N, F] and of raw densities [N, S]."""
    tiles = _tiles(depths)
    programs = min(tiles, PROGRAMS)
    to_table = torch.zeros_like(table) if of_table else table.new_empty(1)
    sums = Weights(*(each.new_empty(programs if of_weights else 1, *each.shape) for each in weights))
    gradient_kernels.gradient_kernel[(programs,)](
        table, bundle.origins, bundle.directions, depths, *weights[:3], *weights[4:], nodes, to_blended, to_densities,
        to_table, *sums, tiles=tiles, OF_TABLE=of_table, OF_WEIGHTS=of_weights,
        **bundle.with_features(table, depths, weights) | WIDER,
    )  # fmt: skip
    return to_table if of_table else None, Weights(*(each.sum(dim=0) for each in sums)) if of_weights else None


def _tiles(depths: Tensor) -> int:
    """How many tiles the samples of all rays make; none is shared by two rays."""
    rays, count = depths.shape
    return rays * -(-count // TILE)
