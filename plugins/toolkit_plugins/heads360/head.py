"""A head as functions of space: signed distance, normal, colour, light."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from toolkit_plugins.heads360 import hair, paint, shape
from toolkit_plugins.heads360.parameters import HeadParameters
from toolkit_plugins.heads360.solids import Place, Points, length, union

Parts = dict[str, Tensor]
"""Signed distance [N] of every part that a head has."""

_SEAM = 0.0011
"""Width in which the colours of neighbouring parts mix."""
_PREFERENCE = {"eye": 0.0004, "glasses": 0.0010, "hair": 0.0015, "beard": 0.0012, "hat": 0.0015, "earring": 0.0010}
"""How much nearer than it is a part counts when its colour is chosen: thin parts over the skin they grow from."""
_BLENDS = {"ear": 0.012, "lid": 0.006, "beard": 0.006, "hair": 0.006}
"""Parts that melt into the head; others merely touch it."""
_CORNERS = ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1))


class Lighting(NamedTuple):
    """Light fixed in the world."""

    lamp: Place = (0.35, 0.75, 0.75)
    """Direction towards the lamp, of any length."""
    strength: float = 0.62
    ambient: float = 0.30
    tint: Place = (1.0, 1.0, 1.0)


_BACK_LIGHT: Place = (-0.45, 0.5, -0.8)


class Head:
    """A head with given parameters; all its functions work on any device, and none depends on a viewer."""

    def __init__(self, parameters: HeadParameters) -> None:
        """Place the parts of the head."""
        self.parameters = parameters
        self.at = shape.anatomy(parameters)
        self.lighting = Lighting()
        self.strand_height = hair.STRAND_HEIGHT
        self._has_glasses = parameters.glasses > 0.02
        self._has_beard = parameters.beard > 0.03
        self._has_hair = hair.thickness(parameters) > 0.002

    def distance(self, points: Points) -> Tensor:
        """Signed distance [N] to the surface; slopes stay below 1 / 0.85 where rays travel."""
        return self.joined(self.parts(points))

    def parts(self, points: Points) -> Parts:
        """Signed distance of every part, in the order in which they are joined."""
        p, at, q = self.parameters, self.at, points.folded()
        parts = {
            "skin": shape.skin(q, p, at),
            "ear": shape.ears(q, p, at),
            "lid": shape.lids(q, p, at),
            "eye": shape.eyeball(q, at),
            "clothes": shape.clothes(q, p),
        }
        if self._has_glasses:
            parts["glasses"] = shape.glasses(q, p, at)
        if self._has_beard:
            parts["beard"] = hair.beard(q, p, at)
        if self._has_hair:
            parts["hair"] = hair.hair(points, p, at, self.strand_height)
        return parts

    def joined(self, parts: Parts) -> Tensor:
        """One surface made of all parts."""
        whole: Tensor | None = None
        for name, distance in parts.items():
            if whole is None:
                whole = distance
            elif name in _BLENDS:
                whole = union(whole, distance, _BLENDS[name])
            else:
                whole = torch.minimum(whole, distance)
        assert whole is not None  # every head has skin
        return whole

    def normal(self, points: Points, step: float = 0.0012) -> Points:
        """Outward unit normals, from differences at the corners of a tetrahedron."""
        corners = Points.of(points.x.new_tensor(_CORNERS))
        around = Points(*((c[None] + step * k[:, None]).reshape(-1) for c, k in zip(points, corners, strict=True)))
        d = self.distance(around).reshape(4, -1)
        slope = Points(*((d * k[:, None]).sum(0) for k in corners))
        size = length(*slope).clamp_min_(1e-12)
        return Points(*(c / size for c in slope))

    def albedo(self, points: Points) -> Tensor:
        """Colour [3, N] in 0..1 without light, for points on or near the surface."""
        parts = self.parts(points)
        colours = self.paints(points, parts)
        nearness = torch.stack([d - _PREFERENCE.get(name, 0.0) for name, d in parts.items()])
        weights = torch.softmax(-nearness / _SEAM, 0)
        mixed = torch.zeros(3, len(points.x)).to(points.x)
        for weight, name in zip(weights, parts, strict=True):
            mixed = mixed + weight * colours[name]
        return torch.lerp(mixed, paint.lash(points), 0.9 * self._lashes(points, parts))

    def paints(self, points: Points, parts: Parts) -> dict[str, Tensor]:
        """Colour [3, N] of every part in `parts`, wherever the points are."""
        p, at = self.parameters, self.at
        skin = paint.skin(points.folded(), p, at)
        colours = {
            "skin": skin,
            "ear": paint.ear(skin),
            "lid": paint.lid(skin),
            "eye": paint.eye(points, p, at),
            "clothes": paint.clothes(points, p),
            "glasses": paint.glasses(points),
        }
        if self._has_beard or self._has_hair:
            colours["hair"] = paint.hair(points, p)
            colours["beard"] = colours["hair"] * 0.85
        return colours

    def _lashes(self, points: Points, parts: Parts) -> Tensor:
        """Coverage [N] by the dark line where upper lid and eyeball meet."""
        edge = torch.exp(-((parts["lid"] - parts["eye"]).abs() / 0.0020).square())
        upper = ((points.y - self.at.eye[1]) / self.at.eye_radius * 2 + 0.2).clamp(0, 1)
        seen = (parts["eye"] < 0.006) & (points.z > 0.1)
        if "hair" in parts:
            seen &= parts["hair"] > 0.003
        return edge * upper * seen

    def shade(self, points: Points) -> Tensor:
        """What the surface looks like at points on it: colours [3, N] in [-1, 1]."""
        normal, light = self.normal(points), self.lighting
        direct = (0.25 + 0.75 * _facing(normal, light.lamp)).clamp_min(0)
        rear = (0.2 + 0.8 * _facing(normal, _BACK_LIGHT)).clamp_min(0)
        sky = 0.5 + 0.5 * normal.y
        received = light.ambient + 0.22 * sky + light.strength * direct + 0.30 * rear
        received = received * (0.35 + 0.65 * self._openness(points, normal))
        tint = points.x.new_tensor(light.tint)[:, None]
        return (self.albedo(points) * received * tint).clamp(0, 1) * 2 - 1

    def _openness(self, points: Points, normal: Points) -> Tensor:
        """Ambient occlusion [N] in 0.25..1: how much nearer than expected the surface is, two steps outwards."""
        openness = torch.ones_like(points.x)
        for step, weight in ((0.014, 0.75), (0.04, 0.55)):
            blocked = 1 - self.distance(points.moved(normal, step)) / step
            openness = openness * (1 - weight * blocked.clamp_(0, 1))
        return openness.clamp_min(0.25)


def _facing(normal: Points, direction: Place) -> Tensor:
    x, y, z = direction
    size = (x * x + y * y + z * z) ** 0.5
    return normal.x * (x / size) + normal.y * (y / size) + normal.z * (z / size)
