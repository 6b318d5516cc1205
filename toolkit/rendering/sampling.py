"""Depths at which a ray is sampled: stratified first, then where the first pass found matter."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from toolkit.errors import InputError

CENTRE = 0.5
FLOOR = 0.01
WEIGHT_EPSILON = 1e-5
MASS_EPSILON = 1e-5


@dataclass(frozen=True)
class Draws:
    """The random numbers of one render: given, drawn from a generator, or (by default) fixed.

    Fixed means the middle of every stratum and evenly spaced importance draws: the same render each time.
    """

    jitter: Tensor | None = None
    """Position [B, R, S] (or [B, R, S, 1]) inside each stratum, in [0, 1)."""
    importance: Tensor | None = None
    """Draws [B, R, I] (or [B * R, I]) in [0, 1]."""
    generator: torch.Generator | None = None
    """Source of whatever is not given."""

    def jitter_for(self, batch: int, rays: int, count: int, device: torch.device) -> Tensor:
        """Jitter broadcastable to [batch, rays, count].

        Raises:
            InputError: A given jitter has another size.
        """
        if self.jitter is not None:
            return _fitted(self.jitter, batch, rays, count, "jitter").to(device)
        if self.generator is not None:
            return torch.rand(batch, rays, count, generator=self.generator, device=device)
        return torch.full((1, 1, count), CENTRE, device=device)

    def importance_for(self, batch: int, rays: int, count: int, device: torch.device) -> Tensor:
        """Importance draws broadcastable to [batch, rays, count].

        Raises:
            InputError: Given draws have another size.
        """
        if self.importance is not None:
            return _fitted(self.importance, batch, rays, count, "importance").to(device)
        if self.generator is not None:
            return torch.rand(batch, rays, count, generator=self.generator, device=device)
        return torch.linspace(0, 1, count, device=device)[None, None]


FIXED_DRAWS = Draws()


def _fitted(draws: Tensor, batch: int, rays: int, count: int, name: str) -> Tensor:
    if draws.numel() != batch * rays * count:
        raise InputError(f"{name} draws must hold {[batch, rays, count]} numbers, got shape {list(draws.shape)}")
    return draws.reshape(batch, rays, count)


def stratified_depths(start: float | Tensor, end: float | Tensor, jitter: Tensor, *, disparity: bool = False) -> Tensor:
    """Depths [B, R, S], one per stratum; the last stratum reaches one step beyond `end`, as upstream.

    Args:
        start: Nearest depth, a number or [B, R].
        end: Farthest depth, a number or [B, R].
        jitter: Position inside each stratum, [B, R, S] or broadcastable.
        disparity: Whether strata are even in 1 / depth instead of depth.
    """
    count = jitter.shape[-1]
    if isinstance(start, Tensor):
        start = start[..., None]
    if isinstance(end, Tensor):
        end = end[..., None]
    steps = torch.arange(count, device=jitter.device, dtype=jitter.dtype)
    if disparity:
        position = (steps + jitter) / (count - 1)
        return 1 / ((1 - position) / start + position / end)
    step = (end - start) / (count - 1)
    return start + steps * step + jitter * step


def importance_depths(depths: Tensor, weights: Tensor, draws: Tensor) -> Tensor:
    """Depths [B, R, I] distributed like the smoothed weights of a first pass; detached.

    The weight attached to an edge interval is that of the coarse interval half a step to its right, as upstream.

    Args:
        depths: Coarse depths [B, R, S], ascending, S >= 4.
        weights: One weight [B, R, S - 1] per interval between them.
        draws: In [0, 1], [B, R, I] or broadcastable.
    """
    depths, weights = depths.detach(), weights.detach()
    highest = torch.maximum(weights[..., :-1], weights[..., 1:])
    highest = torch.cat([weights[..., :1], highest, weights[..., -1:]], dim=-1)
    smooth = (highest[..., :-1] + highest[..., 1:]) / 2 + FLOOR
    mass = smooth[..., 1:-1] + WEIGHT_EPSILON
    cumulative = (mass / mass.sum(dim=-1, keepdim=True)).cumsum(dim=-1)
    cumulative = torch.nn.functional.pad(cumulative, (1, 0))
    edges = (depths[..., :-1] + depths[..., 1:]) / 2
    last = cumulative.shape[-1] - 1
    draws = draws.expand(*cumulative.shape[:-1], draws.shape[-1]).contiguous()
    rank = torch.searchsorted(cumulative.contiguous(), draws, right=True)
    low, high = (rank - 1).clamp(min=0), rank.clamp(max=last)
    below, above = cumulative.gather(-1, low), cumulative.gather(-1, high)
    span = above - below
    span = torch.where(span < MASS_EPSILON, torch.ones_like(span), span)
    edges = edges.expand(*cumulative.shape[:-1], edges.shape[-1])
    left, right = edges.gather(-1, low), edges.gather(-1, high)
    return left + (draws - below) / span * (right - left)
