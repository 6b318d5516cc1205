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
TRANSMITTANCE_EPSILON = 1e-10
CHUNK_POINTS = 1 << 15
"""Samples evaluated at once on a CPU where no gradient is kept: what a core's cache holds."""
DEVICE_CHUNK_POINTS = 1 << 21
"""The same on other devices: what their memory holds."""
WORTH_SPARING = 0.9
"""Share of kept samples below which the others are left out of the field's evaluation."""
SAFE_DENSITY = 790.0
"""Below it, an interval with one end cut away has a weight of exactly 0, gradient included: with EMPTY_DENSITY at the
other end, softplus underflows. So features are asked for at those samples only that have a denser neighbour."""


class Field(Protocol):
    """A volume that can be sampled at points in the world; ray marching renders it."""

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
    """What ray marching found along each ray."""

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


class _Evaluated(NamedTuple):
    density: Tensor
    """[B, R, S], empty where not kept."""
    features: Tensor | None
    """[B, C, K], of all samples or of those that `slot` names."""
    kept: Tensor | None
    """[B, R, S]; None: features are those of all samples, in order."""
    slot: Tensor | None
    """[B, R, S], place of a kept sample's features among K (any number where not kept)."""


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
    clear = (1 - alpha[..., :-1] + TRANSMITTANCE_EPSILON).cumprod(dim=-1)
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
    return _accumulate(field, rays, *sample_depths(rays, settings, draws), keep).trace


def sample_depths(rays: Rays, settings: MarchSettings, draws: Draws) -> tuple[Tensor, Tensor | None]:
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
    depths, importance = sample_depths(rays, settings, draws)
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
    first = _evaluate(field, rays, coarse, keep)
    if importance is None:
        weights = interval_weights(coarse, first.density)
        node = node_weights(weights)
        result = _blended(first, node)
        result = _with_hidden(result, field, rays, coarse, node, first.kept, _beside_dense(first.density))
        return _summed(result, Trace(coarse, None, None, coarse, first.density, weights))
    first_weights = interval_weights(coarse.detach(), first.density.detach())
    fine = importance_depths(coarse, first_weights, importance)
    second = _evaluate(field, rays, fine, keep)
    both = torch.cat([coarse, fine], dim=-1)
    depths, order = both.sort(dim=-1)
    densities = torch.cat([first.density, second.density], dim=-1).gather(-1, order)
    weights = interval_weights(depths, densities)
    result = None
    if first.features is not None:
        # weights go back to the samples' own places: many times fewer numbers move than if features were sorted
        node = torch.zeros_like(densities).scatter(-1, order, node_weights(weights))
        split = coarse.shape[-1]
        result = _sum_of(_blended(first, node[..., :split]), _blended(second, node[..., split:]))
        kept = _all_kept(first, second)
        if kept is not None:
            dense = torch.zeros_like(kept).scatter(-1, order, _beside_dense(densities))
            result = _with_hidden(result, field, rays, both, node, kept, dense)
    return _summed(result, Trace(coarse, first_weights, fine, depths, densities, weights))


def _evaluate(field: _AnyField, rays: Rays, depths: Tensor, keep: KeepMask | None) -> _Evaluated:
    """Raw densities and features at depths [B, R, S], of their type under autocast too; spares what is not kept."""
    points = points_on(rays, depths)
    kept = None if keep is None else keep(points)
    if kept is not None and kept.device.type == "cpu":  # elsewhere, counting would wait for the device
        some = _evaluate_kept(field, points, kept)
        if some is not None:
            return some
    density, features = field(points.flatten(1, 2))
    density = density.reshape(depths.shape).to(depths.dtype)
    if kept is not None:
        density = density.masked_fill(~kept, EMPTY_DENSITY)
    return _Evaluated(density, None if features is None else features.to(depths.dtype), None, None)


def _evaluate_kept(field: _AnyField, points: Tensor, kept: Tensor) -> _Evaluated | None:
    """Evaluate a field where points [B, R, S, 3] are kept [B, R, S]; None where that is not worth it."""
    flat = kept.flatten(1)
    counts = flat.sum(dim=1)
    most = int(counts.max())
    if not 0 < most < WORTH_SPARING * flat.shape[1]:
        return None
    density, features, slot = _at_some(field, points.flatten(1, 2), flat, most)
    density = density.to(points.dtype).gather(1, slot)
    density = torch.where(flat, density, EMPTY_DENSITY).view_as(kept)
    features = None if features is None else features.to(points.dtype)
    return _Evaluated(density, features, kept, slot.view_as(kept))


def _at_some(field: _AnyField, points: Tensor, some: Tensor, most: int) -> tuple[Tensor, Tensor | None, Tensor]:
    """The field at some [B, M] of points [B, M, 3], at most `most` a head: density [B, K], features, slots [B, M]."""
    slot = (some.cumsum(dim=1) - 1).clamp_(min=0)
    which, place = some.nonzero(as_tuple=True)
    order = slot.new_zeros(len(some), most)  # heads with fewer samples are filled up with their first one
    order[which, slot[which, place]] = place
    density, features = field(points.gather(1, order[..., None].expand(-1, -1, 3)))
    return density, features, slot


def _blended(samples: _Evaluated, node: Tensor) -> Tensor | None:
    """Sum of features [B, C, R] over samples with weights [B, R, S]; None without features."""
    if samples.features is None:
        return None
    if samples.slot is None or samples.kept is None:
        return blend(samples.features.unflatten(2, node.shape[1:]), node)
    return _blend_some(samples.features, node * samples.kept, samples.slot)


def _blend_some(features: Tensor, node: Tensor, slot: Tensor) -> Tensor:
    """Sum features [B, C, K] at slots [B, R, S] with weights [B, R, S]."""
    batch, channels, count = features.shape
    table = features.transpose(1, 2).reshape(-1, channels)
    first = torch.arange(batch, device=slot.device)[:, None, None] * count
    rows, shares = (slot + first).flatten(0, 1), node.flatten(0, 1)
    blended = F.embedding_bag(rows, table, mode="sum", per_sample_weights=shares)
    return blended.unflatten(0, (batch, -1)).transpose(1, 2)


def _beside_dense(densities: Tensor) -> Tensor:
    """Which of sorted samples [B, R, S] have a neighbour so dense that they are seen, though cut away."""
    dense = densities.detach() >= SAFE_DENSITY
    return F.pad(dense[..., :-1], (1, 0)) | F.pad(dense[..., 1:], (0, 1))


def _with_hidden(
    result: Tensor | None,
    field: _AnyField,
    rays: Rays,
    depths: Tensor,
    node: Tensor,
    kept: Tensor | None,
    beside_dense: Tensor,
) -> Tensor | None:
    """Add features at those samples that are cut away, but share an interval with a very dense one."""
    if result is None or kept is None:
        return result
    seen = (beside_dense & ~kept).flatten(1)
    most = int(seen.sum(dim=1).max())
    if not most:
        return result
    _, features, slot = _at_some(field, points_on(rays, depths).flatten(1, 2), seen, most)
    assert features is not None  # for the type checker: there are features elsewhere
    seen, slot = seen.view_as(node), slot.view_as(node)
    return result + _blend_some(features.to(node.dtype), node * seen, slot)


def _all_kept(first: _Evaluated, second: _Evaluated) -> Tensor | None:
    """Which samples of both passes have features; None: all."""
    if first.kept is None and second.kept is None:
        return None
    every = [
        torch.ones_like(part.density, dtype=torch.bool) if part.kept is None else part.kept for part in (first, second)
    ]
    return torch.cat(every, dim=-1)


def _sum_of(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    return None if first is None or second is None else first + second


def node_weights(weights: Tensor) -> Tensor:
    """What each sample [..., S] contributes, as intervals [..., S - 1] use the mean of their two ends."""
    return (F.pad(weights, (0, 1)) + F.pad(weights, (1, 0))) / 2


def blend(features: Tensor, node: Tensor) -> Tensor:
    """Sum features [B, C, R, S] over samples with weights [B, R, S] (quickest with channels fastest)."""
    rows = features.permute(0, 2, 3, 1)
    return torch.matmul(node[..., None, :], rows)[..., 0, :].transpose(1, 2)


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
    return finished(sums.features, sums.depth_sum, sums.opacity, sums.nearest, sums.farthest, settings)


def finished(
    features: Tensor | None,
    depth_sum: Tensor,
    opacity: Tensor,
    nearest: Tensor,
    farthest: Tensor,
    settings: MarchSettings,
) -> Marched:
    """Depth becomes a mean, clamped to the sampled range of the batch; an empty ray gets the farthest depth.

    Features [B, C, R], depths [B, R] and opacities [B, R] are weighted sums over samples.
    """
    empty = opacity == 0
    mean = depth_sum / torch.where(empty, torch.ones_like(opacity), opacity)
    depth = torch.where(empty, farthest, mean)
    depth = torch.maximum(torch.minimum(depth, farthest), nearest)
    if features is not None and settings.white_back:
        features = features + (1 - opacity)[:, None]
    return Marched(features, depth, opacity)
