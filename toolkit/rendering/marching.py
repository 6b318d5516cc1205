"""Volume rendering by intervals between samples (no last infinite interval)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.rendering.rays import Rays, automatic_limits, points_on
from toolkit.rendering.sampling import FIXED_DRAWS, Draws, importance_depths, stratified_depths

EMPTY_DENSITY = -1000.0
_TRANSMITTANCE_EPSILON = 1e-10
CHUNK_POINTS = 1 << 15
"""Samples evaluated at once on a CPU where no gradient is kept: what a core's cache holds."""
DEVICE_CHUNK_POINTS = 1 << 21
"""The same on other devices: what their memory holds."""
WORTH_SPARING = 0.9
"""Share of kept samples below which the others are left out of the field's evaluation."""
SAFE_DENSITY = 790.0
"""Below it, an interval with one end cut away has a weight of exactly 0 (softplus underflows), so features there are
never seen."""


class Field(Protocol):
    """What is rendered."""

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [B, M] and features [B, C, M] at world points [B, M, 3]."""
        ...


DensityField = Callable[[Tensor], Tensor]
"""Raw density [B, M] at world points [B, M, 3]."""
_AnyField = Callable[[Tensor], tuple[Tensor, Tensor | None]]
KeepMask = Callable[[Tensor], Tensor]
"""Whether world points [..., 3] are kept; the renderer sees nothing elsewhere."""


@dataclass(frozen=True)
class MarchSettings:
    """Where rays are sampled and what empty space looks like."""

    count: int
    """Stratified samples per ray."""
    importance: int
    """Further samples where the first pass found matter; 0 for a single pass, else `count` must be at least 4."""
    start: float | str
    """Nearest depth in world units, or 'auto' for the cube of side `box`."""
    end: float | str
    """Farthest depth, or 'auto'."""
    box: float = 1.0
    disparity: bool = False
    white_back: bool = False


class Marched(NamedTuple):
    """Result per ray."""

    features: Tensor | None
    """[B, C, R]."""
    depth: Tensor
    """[B, R], clamped to the range of all sampled depths of the batch."""
    opacity: Tensor
    """[B, R], sum of weights."""


class Trace(NamedTuple):
    """Everything that a render computes along its rays, for tests and debugging. Merged samples are sorted by depth."""

    coarse_depths: Tensor
    coarse_weights: Tensor | None
    fine_depths: Tensor | None
    depths: Tensor
    densities: Tensor
    weights: Tensor


class _Accumulated(NamedTuple):
    features: Tensor | None
    depth_sum: Tensor
    opacity: Tensor
    nearest: Tensor
    farthest: Tensor
    trace: Trace


def interval_weights(depths: Tensor, densities: Tensor) -> Tensor:
    """Weight [..., S - 1] of each interval between sorted samples with raw densities [..., S]."""
    spacing = depths[..., 1:] - depths[..., :-1]
    density = F.softplus((densities[..., 1:] + densities[..., :-1]) / 2 - 1)
    alpha = 1 - torch.exp(-density * spacing)
    clear = (1 - alpha[..., :-1] + _TRANSMITTANCE_EPSILON).cumprod(dim=-1)
    return alpha * F.pad(clear, (1, 0), value=1.0)


def march(
    field: Field,
    rays: Rays,
    settings: MarchSettings,
    *,
    draws: Draws = FIXED_DRAWS,
    keep: KeepMask | None = None,
    chunk: int | None = None,
) -> Marched:
    """Render features, depth and opacity of a field along rays.

    Args:
        field: What is rendered.
        rays: Origins and directions.
        settings: Where to sample.
        draws: Random numbers; fixed by default.
        keep: Points outside are empty.
        chunk: Samples evaluated at once where no gradient is kept; None chooses by device. Results do not depend on it.
    """
    return _finish(_march_all(field, rays, settings, draws, keep, chunk), settings)


def march_density(
    density: DensityField,
    rays: Rays,
    settings: MarchSettings,
    *,
    draws: Draws = FIXED_DRAWS,
    keep: KeepMask | None = None,
    chunk: int | None = None,
) -> Marched:
    """Like `march`, for geometry alone: `features` is None."""

    def field(points: Tensor) -> tuple[Tensor, Tensor | None]:
        return density(points), None

    return _finish(_march_all(field, rays, settings, draws, keep, chunk), settings)


def trace(
    field: Field,
    rays: Rays,
    settings: MarchSettings,
    *,
    draws: Draws = FIXED_DRAWS,
    keep: KeepMask | None = None,
) -> Trace:
    """The samples, densities and weights of a render, all rays at once."""
    return _accumulate(field, rays, *_depths_and_draws(rays, settings, draws), keep).trace


def _depths_and_draws(rays: Rays, settings: MarchSettings, draws: Draws) -> tuple[Tensor, Tensor | None]:
    """Coarse depths [B, R, S] and importance draws [B, R, I] of all rays (so that chunking changes nothing)."""
    batch, count, _ = rays.directions.shape
    device = rays.directions.device
    jitter = draws.jitter_for(batch, count, settings.count, device)
    if isinstance(settings.start, str) or isinstance(settings.end, str):
        start, end = automatic_limits(rays, settings.box)
        depths = stratified_depths(start, end, jitter, disparity=settings.disparity)
    else:
        depths = stratified_depths(settings.start, settings.end, jitter, disparity=settings.disparity)
    depths = depths.expand(batch, count, settings.count)
    if not settings.importance:
        return depths, None
    return depths, draws.importance_for(batch, count, settings.importance, device).expand(
        batch, count, settings.importance
    )


def _march_all(
    field: _AnyField,
    rays: Rays,
    settings: MarchSettings,
    draws: Draws,
    keep: KeepMask | None,
    chunk: int | None,
) -> _Accumulated:
    depths, importance = _depths_and_draws(rays, settings, draws)
    batch, count, _ = rays.directions.shape
    if chunk is None:
        chunk = CHUNK_POINTS if rays.directions.device.type == "cpu" else DEVICE_CHUNK_POINTS
    step = count if torch.is_grad_enabled() else max(1, chunk // (batch * settings.count))
    if step >= count:
        return _accumulate(field, rays, depths, importance, keep)
    parts = []
    for first in range(0, count, step):
        part = slice(first, first + step)
        origins = rays.origins if rays.origins.shape[1] == 1 else rays.origins[:, part]
        some = Rays(origins, rays.directions[:, part])
        own = None if importance is None else importance[:, part]
        parts.append(_accumulate(field, some, depths[:, part], own, keep))
    return _joined(parts)


def _joined(parts: list[_Accumulated]) -> _Accumulated:
    first = parts[0].features
    features = None if first is None else torch.cat([part.features for part in parts if part.features is not None], 2)
    return _Accumulated(
        features,
        torch.cat([part.depth_sum for part in parts], dim=1),
        torch.cat([part.opacity for part in parts], dim=1),
        torch.stack([part.nearest for part in parts]).min(),
        torch.stack([part.farthest for part in parts]).max(),
        parts[0].trace,
    )


def _accumulate(
    field: _AnyField,
    rays: Rays,
    coarse: Tensor,
    importance: Tensor | None,
    keep: KeepMask | None,
) -> _Accumulated:
    density, features = _evaluate(field, rays, coarse, keep)
    if importance is None:
        weights = interval_weights(coarse, density)
        result = None if features is None else blend(features, node_weights(weights))
        return _summed(result, Trace(coarse, None, None, coarse, density, weights))
    first_weights = interval_weights(coarse.detach(), density.detach())
    fine = importance_depths(coarse, first_weights, importance)
    fine_density, fine_features = _evaluate(field, rays, fine, keep)
    depths, order = torch.cat([coarse, fine], dim=-1).sort(dim=-1)
    densities = torch.cat([density, fine_density], dim=-1).gather(-1, order)
    weights = interval_weights(depths, densities)
    result = None
    if features is not None and fine_features is not None:
        # weights go back to the samples' own places: many times fewer numbers move than if features were sorted
        node = torch.zeros_like(densities).scatter(-1, order, node_weights(weights))
        split = coarse.shape[-1]
        result = blend(features, node[..., :split]) + blend(fine_features, node[..., split:])
    return _summed(result, Trace(coarse, first_weights, fine, depths, densities, weights))


def _evaluate(field: _AnyField, rays: Rays, depths: Tensor, keep: KeepMask | None) -> tuple[Tensor, Tensor | None]:
    """Raw densities [B, R, S] and features [B, C, R, S] at depths [B, R, S], of their type under autocast too."""
    points = points_on(rays, depths).flatten(1, 2)
    if keep is None:
        density, features = field(points)
    else:
        density, features = _evaluate_kept(field, points, keep(points))
    density = density.reshape(depths.shape).to(depths.dtype)
    return density, None if features is None else features.unflatten(2, depths.shape[1:]).to(depths.dtype)


def _evaluate_kept(field: _AnyField, points: Tensor, kept: Tensor) -> tuple[Tensor, Tensor | None]:
    """Raw densities [B, M], empty where not kept [B, M], and features [B, C, M]; spares work where nothing is seen."""
    most = int(kept.sum(dim=1).max()) if points.device.type == "cpu" else points.shape[1]
    if 0 < most < WORTH_SPARING * points.shape[1]:
        # kept points to the front; items with fewer of them are filled up with others, emptied again below
        order = kept.byte().argsort(dim=1, descending=True, stable=True)[:, :most]
        density, features = field(points.gather(1, order[..., None].expand(-1, -1, 3)))
        if float(density.detach().max()) < SAFE_DENSITY:
            density = torch.full_like(kept, EMPTY_DENSITY, dtype=density.dtype).scatter(1, order, density)
            if features is not None:
                channels = features.shape[1]
                everywhere = features.new_zeros(features.shape[0], channels, points.shape[1])
                features = everywhere.scatter(2, order[:, None].expand(-1, channels, -1), features)
            return density.masked_fill(~kept, EMPTY_DENSITY), features
    density, features = field(points)
    return density.masked_fill(~kept, EMPTY_DENSITY), features


def node_weights(weights: Tensor) -> Tensor:
    """What each sample [..., S] contributes, as intervals [..., S - 1] use the mean of their two ends."""
    return (F.pad(weights, (0, 1)) + F.pad(weights, (1, 0))) / 2


def blend(features: Tensor, node: Tensor) -> Tensor:
    """Sum features [B, C, R, S] over samples with weights [B, R, S]."""
    return (features * node[:, None]).sum(dim=-1)


def _summed(features: Tensor | None, samples: Trace) -> _Accumulated:
    middles = (samples.depths[..., 1:] + samples.depths[..., :-1]) / 2
    return _Accumulated(
        features,
        (samples.weights * middles).sum(dim=-1),
        samples.weights.sum(dim=-1),
        samples.depths.detach().amin(),
        samples.depths.detach().amax(),
        samples,
    )


def _finish(sums: _Accumulated, settings: MarchSettings) -> Marched:
    """Depth becomes a mean, clamped to the sampled range of the batch; an empty ray gets the farthest depth."""
    empty = sums.opacity == 0
    mean = sums.depth_sum / torch.where(empty, torch.ones_like(sums.opacity), sums.opacity)
    depth = torch.where(empty, sums.farthest, mean)
    depth = torch.maximum(torch.minimum(depth, sums.farthest), sums.nearest)
    features = sums.features
    if features is not None and settings.white_back:
        features = features + (1 - sums.opacity)[:, None]
    return Marched(features, depth, sums.opacity)
