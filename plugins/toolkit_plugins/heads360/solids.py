"""Signed distances of simple solids, and smooth unions and cuts of them.

Points travel as three tensors of one shape, since torch is several times faster on contiguous coordinates than on
[N, 3]. Distances are world units, negative inside; an ellipsoid's is approximate, so rays take shortened steps.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

Place: TypeAlias = tuple[float, float, float]


class Points(NamedTuple):
    """Coordinates of N points, each [N]."""

    x: Tensor
    y: Tensor
    z: Tensor

    @classmethod
    def of(cls, points: Tensor) -> Points:
        """Take points [N, 3] apart."""
        return cls(*points.t().contiguous().unbind(0))

    def stacked(self) -> Tensor:
        """The points as one tensor [N, 3]."""
        return torch.stack(self, dim=1)

    def folded(self) -> Points:
        """The points on one side: |x|."""
        return Points(self.x.abs(), self.y, self.z)

    def chosen(self, which: Tensor) -> Points:
        """The points at a mask or index."""
        return Points(self.x[which], self.y[which], self.z[which])

    def moved(self, along: Points, by: float) -> Points:
        """The points plus a multiple of vectors."""
        return Points(*(torch.add(a, b, alpha=by) for a, b in zip(self, along, strict=True)))


def length(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Euclidean length of vectors given by coordinates."""
    return torch.addcmul(torch.addcmul(x * x, y, y), z, z).sqrt_()


def ellipsoid(q: Points, centre: Place, radii: Place) -> Tensor:
    """An axis-parallel ellipsoid; exact on its surface, too small or large by some percent away from it."""
    x, y, z = ((c - at) / r for c, at, r in zip(q, centre, radii, strict=True))
    scaled = length(x, y, z)
    slope = length(*(c / r for c, r in zip((x, y, z), radii, strict=True)))
    return scaled * (scaled - 1) / slope.clamp_min_(1e-6)


def sphere(q: Points, centre: Place, radius: float) -> Tensor:
    """Signed distance to the surface of a ball."""
    return length(q.x - centre[0], q.y - centre[1], q.z - centre[2]) - radius


def capsule(q: Points, start: Place, end: Place, start_radius: float, end_radius: float) -> Tensor:
    """A rod with round ends whose radius changes along the way."""
    x, y, z = (c - at for c, at in zip(q, start, strict=True))
    dx, dy, dz = (b - a for a, b in zip(start, end, strict=True))
    along = ((x * dx + y * dy + z * dz) / (dx * dx + dy * dy + dz * dz)).clamp_(0, 1)
    thick = start_radius + (end_radius - start_radius) * along
    return length(x - along * dx, y - along * dy, z - along * dz) - thick


def union(a: Tensor, b: Tensor, blend: float) -> Tensor:
    """Smooth minimum; exactly the minimum where the two differ by `blend` or more."""
    overlap = (blend - (a - b).abs_()).clamp_min_(0)
    return torch.addcmul(torch.minimum(a, b), overlap, overlap, value=-0.25 / blend)


def cut(a: Tensor, b: Tensor, blend: float) -> Tensor:
    """Smooth maximum: what lies within both."""
    overlap = (blend - (a - b).abs_()).clamp_min_(0)
    return torch.addcmul(torch.maximum(a, b), overlap, overlap, value=0.25 / blend)


def between(low: float, high: float, share: float) -> float:
    """The number at a share of the way from low to high."""
    return low + (high - low) * share


def smoothstep(low: float, high: float, value: float) -> float:
    """0 below low, 1 above high, smooth between."""
    share = min(1.0, max(0.0, (value - low) / (high - low)))
    return share * share * (3 - 2 * share)


def bell(offset: Tensor, width: float) -> Tensor:
    """A bell curve, exp(-(offset / width)^2): 1 at offset 0."""
    return torch.exp(-(offset / width).square_())
