"""Matter of a head where the photo shows background: the fit takes it away."""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit.encoders.kept_field import opacity, points_in_box
from toolkit.encoders.photo_outline import PhotoOutline
from toolkit.interfaces import Generator

TRIED = 400_000
"""Points in the box among which overhanging matter is looked for."""
FILLED = 0.1
"""Opacity, of a short piece of a ray, from which on a point is filled."""
_AT_ONCE = 50_000


class Overhang:
    """Points that planes fill although the photo shows background there."""

    def __init__(self, generator: Generator, planes: Tensor, outline: PhotoOutline, rng: torch.Generator) -> None:
        """Look for them.

        Args:
            generator: Reads planes.
            planes: [1, *spec.planes_shape].
            outline: The photo's.
            rng: Chooses the points.
        """
        self._generator, self._rng = generator, rng
        points = points_in_box(generator, TRIED, rng).to(planes)
        points = points[outline.is_empty(points)]
        with torch.no_grad():
            filled = [_opacity_at(generator, planes, part) > FILLED for part in points.split(_AT_ONCE)]
        self.points = points[torch.cat(filled)] if len(points) else points
        """[P, 3] world points; there may be none."""

    def left(self, planes: Tensor, count: int) -> Tensor:
        """Mean squared opacity at `count` of the points, with planes [1, *spec.planes_shape]; a scalar."""
        if not len(self.points):
            return planes.new_zeros(())
        chosen = torch.randint(len(self.points), (count,), generator=self._rng).to(planes.device)
        return _opacity_at(self._generator, planes, self.points[chosen]).square().mean()


def _opacity_at(generator: Generator, planes: Tensor, points: Tensor) -> Tensor:
    return opacity(generator.query(planes, points[None]).density)[0, :, 0]
