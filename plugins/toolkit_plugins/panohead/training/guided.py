"""Marching with samples near the known depth of a hit: so the density learns a surface within minutes.

Depth-free sampling leaves fog at a small budget, so colour never settles and eyes stay blurred; a few samples in the
free space before the surface, a few in a narrow window round it and a penalty on density in free space do it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from toolkit.rendering.marching import Field, blend, interval_weights, node_weights
from toolkit.rendering.rays import Rays, points_on


class GuidedSettings(NamedTuple):
    """Where the samples along a ray go when the depth of the true surface is known."""

    near: float
    far: float
    free: int = 2
    """Samples before the surface."""
    window: int = 4
    """Samples round the hit."""
    reach: float = 0.02
    """Half width of the window in world units."""


SURFACE_DENSITY, DENSITY_SCALE, SKIN = 60.0, 60.0, 0.006
"""The raw density that the cross entropy takes for half occupied, its softness, and the depth (world units) on both
sides of the surface in which it does not judge."""


class Samples(NamedTuple):
    """Where rays are sampled."""

    depths: Tensor
    """[B, R, S], sorted."""
    is_free: Tensor
    """[B, R, S], which of them truth says are empty."""


class Counts(NamedTuple):
    """How many samples the means that leave some out are over: scalars, at least 1 in a whole batch."""

    free: Tensor
    before: Tensor
    behind: Tensor


class Guided(NamedTuple):
    """A render of single rays."""

    features: Tensor
    """[B, C, R]."""
    opacity: Tensor
    """[B, R]."""
    free_space: Tensor
    """Mean opacity that samples in free space would add; a scalar to keep small."""
    occupancy: Tensor
    """Cross entropy of the density against what truth says of each sample: before the surface, or behind it."""


def guided_samples(depths: Tensor, settings: GuidedSettings, source: torch.Generator) -> Samples:
    """Sample rays with hit depths [B, R] (0: a miss).

    Rays that hit get `free` jittered samples up to the window and `window` in it; rays that miss get all of them
    spread over the whole range.
    """
    count = settings.free + settings.window
    jitter = torch.rand((*depths.shape, count), generator=source, device=depths.device)
    hit = (depths > 0)[..., None]
    ladder = torch.arange(count, device=depths.device)
    spread = settings.near + (ladder + jitter) / count * (settings.far - settings.near)
    start = (depths[..., None] - settings.reach).clamp_min(settings.near)
    before = settings.near + (ladder + jitter) / settings.free * (start - settings.near)
    around = start + (ladder - settings.free + jitter) / settings.window * 2 * settings.reach
    is_free = (ladder < settings.free).expand_as(jitter)
    placed = torch.where(is_free, before, around)
    return Samples(torch.where(hit, placed, spread), is_free | ~hit)


def counts_of(hits: Tensor, samples: Samples, parts: int = 1) -> Counts:
    """Count the samples of a whole batch; a part of `parts` takes its share, so that their mean is the whole's."""
    kinds = (samples.is_free, *_sides(hits, samples.depths))
    return Counts(*(kind.sum().clamp_min(1) / parts for kind in kinds))


def guided_march(field: Field, rays: Rays, hits: Tensor, samples: Samples, counts: Counts, step: float) -> Guided:
    """Render a field at given samples.

    Args:
        field: What is rendered.
        rays: One bundle per head.
        hits: True hit depths [B, R], 0 for a miss.
        samples: Of these rays.
        counts: The counts that means over free samples, and over compared samples, divide by.
        step: Length over which a free sample's density counts in the penalty (world units).
    """
    depths, is_free = samples
    density, features = field(points_on(rays, depths).flatten(1, 2))
    density = density.reshape(depths.shape)
    features = features.unflatten(2, depths.shape[1:])
    weights = interval_weights(depths, density)
    fog = 1 - torch.exp(-torch.nn.functional.softplus(density - 1) * step)
    free_space = (fog * is_free).sum() / counts.free
    occupancy = _occupancy(density, hits, depths, counts)
    return Guided(blend(features, node_weights(weights)), weights.sum(-1), free_space, occupancy)


def _sides(hits: Tensor, depths: Tensor) -> tuple[Tensor, Tensor]:
    """Which samples [B, R, S] lie before, and which behind the surface that was hit, its skin left out."""
    beyond = depths - hits[..., None]
    behind = (hits[..., None] > 0) & (beyond > SKIN)
    return (hits[..., None] == 0) | (beyond < -SKIN), behind


def _occupancy(density: Tensor, hits: Tensor, depths: Tensor, counts: Counts) -> Tensor:
    """Cross entropy over samples [B, R, S], those before and those behind surfaces counting the same.

    The rendering losses alone let all density fade before the networks can tell inside from outside.
    """
    before, behind = _sides(hits, depths)
    logits = (density - SURFACE_DENSITY) / DENSITY_SCALE
    wrong = torch.nn.functional.softplus(torch.where(behind, -logits, logits))
    inside = (wrong * behind).sum() / counts.behind
    return (inside + (wrong * before).sum() / counts.before) / 2
