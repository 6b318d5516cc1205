"""Marching with samples placed by the known hit depth: what lets a field settle on a surface within minutes.

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
    """Where samples go."""

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


def guided_depths(depths: Tensor, settings: GuidedSettings, source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sorted sample depths [B, R, S] for hit depths [B, R] (0: a miss), and which samples lie in free space.

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
    return torch.where(hit, placed, spread), is_free | ~hit


def guided_march(field: Field, rays: Rays, hits: Tensor, depths: Tensor, is_free: Tensor, step: float) -> Guided:
    """Render a field at given sample depths [B, R, S].

    Args:
        field: What is rendered.
        rays: One bundle per head.
        hits: True hit depths [B, R], 0 for a miss.
        depths: Sorted.
        is_free: Samples [B, R, S] that truth says are empty.
        step: Length over which a free sample's density counts in the penalty (world units).
    """
    density, features = field(points_on(rays, depths).flatten(1, 2))
    density = density.reshape(depths.shape)
    features = features.unflatten(2, depths.shape[1:])
    weights = interval_weights(depths, density)
    fog = 1 - torch.exp(-torch.nn.functional.softplus(density - 1) * step)
    free_space = (fog * is_free).sum() / is_free.sum().clamp_min(1)
    return Guided(
        blend(features, node_weights(weights)), weights.sum(-1), free_space, _occupancy(density, hits, depths)
    )


def _occupancy(density: Tensor, hits: Tensor, depths: Tensor) -> Tensor:
    """Cross entropy over samples [B, R, S], those before and those behind surfaces counting the same.

    The rendering losses alone let all density fade before the networks can tell inside from outside.
    """
    beyond = depths - hits[..., None]
    behind = (hits[..., None] > 0) & (beyond > SKIN)
    before = (hits[..., None] == 0) | (beyond < -SKIN)
    logits = (density - SURFACE_DENSITY) / DENSITY_SCALE
    wrong = torch.nn.functional.softplus(torch.where(behind, -logits, logits))
    inside = (wrong * behind).sum() / behind.sum().clamp_min(1)
    return (inside + (wrong * before).sum() / before.sum().clamp_min(1)) / 2
