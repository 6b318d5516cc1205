"""Volume rendering that looks only where something can be seen: for a head that is seen many times, without gradients.

The slow twin is `toolkit.rendering.marching.march`, from which no number differs by more than 1e-3. What is spared:

- rays that pass far from matter, and samples in empty space that no sample beside them makes visible;
- samples behind matter that lets no light through;
- features of samples without weight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.rendering.marching import (
    EMPTY_DENSITY,
    KeepMask,
    Marched,
    MarchSettings,
    finished,
    interval_weights,
    node_weights,
    sample_depths,
)
from toolkit.rendering.occupancy import Occupancy
from toolkit.rendering.rays import Rays
from toolkit.rendering.sampling import FIXED_DRAWS, importance_depths

CHUNK_RAYS = 1 << 13
"""Rays looked at together: their samples fit into a core's cache."""
AHEAD = (2, 4)
"""Samples evaluated behind the first one near matter before it is asked whether light still gets through, and again."""
_MARGIN = 1.5
"""Factor on the depth of matter in which light is expected to be lost."""
DARK = 12.0
"""Optical depth behind which nothing is seen: e^-12 = 6e-6 of the light gets through."""
LEAST_WEIGHT = 1e-5
"""Samples of less weight show no features."""


@dataclass(frozen=True)
class StepwiseField:
    """A volume whose features are computed only where its density asks for them."""

    read: Callable[[Tensor], Tensor]
    """World points [1, K, 3] to rows [K, H], whatever the next two need."""
    density: Callable[[Tensor], Tensor]
    """Rows [K, H] to raw densities [K]."""
    features: Callable[[Tensor], Tensor]
    """Rows [K, H] to features [K, C]."""


class _Beams(NamedTuple):
    """R rays of any cameras, in one list: where they begin and which way they go, in world units."""

    origins: Tensor
    """[R, 3]."""
    directions: Tensor
    """[R, 3]."""

    def some(self, chosen: Tensor) -> _Beams:
        """Those with the numbers `chosen`, which may be named several times."""
        return _Beams(self.origins.index_select(0, chosen), self.directions.index_select(0, chosen))


class _Seen(NamedTuple):
    """What was found along rays."""

    features: Tensor
    """[R, C]."""
    depth_sum: Tensor
    """[R]."""
    opacity: Tensor
    """[R]."""


def march_sparsely(
    field: StepwiseField, rays: Rays, settings: MarchSettings, space: Occupancy, crop: KeepMask | None = None
) -> Marched:
    """Render features, depth and opacity of one head along rays, with fixed draws.

    Args:
        field: What is rendered, the same for all views.
        rays: Origins and directions of B views with R rays each.
        settings: Where to sample; in two passes (`settings.importance` is not 0).
        space: Where the field holds matter.
        crop: Points outside are empty.

    Returns:
        As `march` does.
    """
    batch, count, _ = rays.directions.shape
    depths, draws = sample_depths(rays, settings, FIXED_DRAWS)
    assert draws is not None  # for the type checker: there are two passes
    beams = _Beams(rays.origins.expand(batch, count, 3).reshape(-1, 3), rays.directions.reshape(-1, 3))
    flat, pulls = depths.reshape(-1, settings.count), draws.reshape(-1, settings.importance)
    parts = []
    for first in range(0, len(flat), CHUNK_RAYS):
        part = slice(first, first + CHUNK_RAYS)
        some = _Beams(beams.origins[part], beams.directions[part])
        parts.append(_look(field, some, flat[part], pulls[part], space, crop))
    features, depth_sum, opacity = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return finished(
        features.unflatten(0, (batch, count)).transpose(1, 2),
        depth_sum.view(batch, count),
        opacity.view(batch, count),
        depths.amin(),
        depths.amax(),
        settings,
    )


def _look(
    field: StepwiseField, beams: _Beams, depths: Tensor, draws: Tensor, space: Occupancy, crop: KeepMask | None
) -> _Seen:
    """Look along rays, those first left out that pass no matter."""
    levels = space.along(*beams, depths)
    near = levels == space.NEAR
    met = near.any(dim=1)
    # elsewhere, the second pass is the same for all rays of one length; it may still touch matter
    aside = ((levels >= space.AROUND).any(dim=1) & ~met).nonzero()[:, 0]
    fine = importance_depths(
        depths[aside], depths.new_zeros(1, 1).expand(len(aside), depths.shape[1] - 1), draws[aside]
    )
    met[aside] = (space.along(*beams.some(aside), fine) == space.NEAR).any(dim=1)
    rays = met.nonzero()[:, 0]
    found = _Samples(field, beams.some(rays), crop)
    seen = found.march(depths.index_select(0, rays), draws.index_select(0, rays), near.index_select(0, rays), space)
    return _Seen(*(part.new_zeros(len(depths), *part.shape[1:]).index_copy_(0, rays, part) for part in seen))


class _Samples:
    """Samples along rays, and what is known of them so far."""

    def __init__(self, field: StepwiseField, beams: _Beams, crop: KeepMask | None) -> None:
        self._field, self._beams, self._crop = field, beams, crop
        self._rows: list[Tensor] = []
        self._count = 0

    def march(self, coarse: Tensor, draws: Tensor, near: Tensor, space: Occupancy) -> _Seen:
        """Two passes along rays with coarse depths [R, S], importance draws [R, I]; which depths are near matter."""
        density = torch.full_like(coarse, EMPTY_DENSITY)
        slot = torch.full(coarse.shape, -1, dtype=torch.long)
        first, last = near.to(torch.uint8).argmax(dim=1, keepdim=True), coarse.shape[1] - 1
        stops = [coarse.gather(1, (first + ahead).clamp(max=last)) for ahead in AHEAD]
        self._evaluate_in_turn(coarse, density, slot, _and_neighbours(near), stops)
        fine = importance_depths(coarse, interval_weights(coarse, density), draws)
        stops = _where_dark(coarse, density)

        depths, order = torch.cat([coarse, fine], dim=1).sort(dim=1)
        near = torch.cat([near, space.along(*self._beams, fine) == space.NEAR], dim=1).gather(1, order)
        density = torch.cat([density, torch.full_like(fine, EMPTY_DENSITY)], dim=1).gather(1, order)
        slot = torch.cat([slot, slot.new_full(fine.shape, -1)], dim=1).gather(1, order)
        self._evaluate_in_turn(depths, density, slot, _and_neighbours(near) & (slot < 0), stops)
        return self._blended(depths, density, slot)

    def _evaluate_in_turn(
        self, depths: Tensor, density: Tensor, slot: Tensor, wanted: Tensor, stops: list[Tensor]
    ) -> None:
        """Evaluate wanted samples [R, S] up to each of some depths [R, 1], then the rest, where light still comes."""
        self._evaluate(depths, density, slot, some := wanted & (depths <= stops[0]))
        known = ~wanted | some
        for stop in [*stops[1:], None]:
            some = ~known & (_thickness_before(depths, density, known) < DARK)
            if stop is not None:
                some &= depths <= stop
            if some.any():
                self._evaluate(depths, density, slot, some)
                known |= some

    def _evaluate(self, depths: Tensor, density: Tensor, slot: Tensor, which: Tensor) -> None:
        """Fill densities and slots [R, S] in at some samples [R, S]."""
        chosen = which.view(-1).nonzero()[:, 0]
        ray = torch.div(chosen, depths.shape[1], rounding_mode="floor")
        beams = self._beams.some(ray)
        # in this order, as elsewhere: what rounding changes in a depth, dense matter multiplies
        points = beams.origins + depths.reshape(-1).index_select(0, chosen)[:, None] * beams.directions
        rows = self._field.read(points[None])
        found = self._field.density(rows)
        if self._crop is not None:
            found = found.masked_fill(~self._crop(points), EMPTY_DENSITY)
        density.view(-1)[chosen] = found
        slot.view(-1)[chosen] = torch.arange(self._count, self._count + len(chosen))
        self._rows.append(rows)
        self._count += len(chosen)

    def _blended(self, depths: Tensor, density: Tensor, slot: Tensor) -> _Seen:
        """Sum what samples in order show."""
        weights = interval_weights(depths, density)
        node = node_weights(weights)
        seen = (node > LEAST_WEIGHT) & (slot >= 0)
        chosen = seen.view(-1).nonzero()[:, 0]
        features = self._field.features(torch.cat(self._rows).index_select(0, slot.view(-1)[chosen]))
        bounds = F.pad(seen.sum(dim=1).cumsum(0), (1, 0))
        blended = F.embedding_bag(
            torch.arange(len(chosen)),
            features,
            bounds,
            mode="sum",
            per_sample_weights=node.view(-1)[chosen],
            include_last_offset=True,
        )
        middles = (depths[:, 1:] + depths[:, :-1]) / 2
        return _Seen(blended, (weights * middles).sum(dim=1), weights.sum(dim=1))


def _and_neighbours(which: Tensor) -> Tensor:
    """Samples [R, S] that are marked, or have a marked one beside them."""
    wide = which.clone()
    wide[:, 1:] |= which[:, :-1]
    wide[:, :-1] |= which[:, 1:]
    return wide


def _thickness(depths: Tensor, density: Tensor) -> Tensor:
    """Optical depth [R, S - 1] of each interval, or a little less."""
    mean = (density[:, 1:] + density[:, :-1]).mul_(0.5).sub_(1)
    return mean.clamp_(min=0).mul_(depths[:, 1:] - depths[:, :-1])  # softplus is larger


def _thickness_before(depths: Tensor, density: Tensor, known: Tensor) -> Tensor:
    """Optical depth [R, S] in front of each sample, of intervals with two known ends alone."""
    thickness = _thickness(depths, density).mul_(known[:, 1:] & known[:, :-1])
    return F.pad(thickness.cumsum_(dim=1), (1, 0))


def _where_dark(depths: Tensor, density: Tensor) -> list[Tensor]:
    """Two depths [R, 1] behind which a ray is probably, and almost certainly, dark; infinity where it stays light.

    Between two samples of the first pass, density may rise from far below 0 to far above, along a straight line.
    """
    reached = _thickness(depths, density).cumsum_(dim=1) >= DARK
    index = reached.to(torch.uint8).argmax(dim=1, keepdim=True)
    low, high = density.gather(1, index), density.gather(1, index + 1)
    start, end = depths.gather(1, index), depths.gather(1, index + 1)
    slope = (high - low).clamp_(min=1.0) / (end - start)
    surface = start + (-low / slope).clamp_(min=0)
    guess = torch.minimum(surface + _MARGIN * (2 * DARK / slope).sqrt(), end)
    dark = reached[:, -1:]
    return [torch.where(dark, guess, torch.inf), torch.where(dark, end, torch.inf)]
