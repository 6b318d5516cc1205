"""Where strands grow: the skin's surface, the hairline, random roots, and the skull that strands keep out of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from toolkit_plugins.heads360.anatomy import anatomy
from toolkit_plugins.heads360.geometry import F32, Floats, Ints, smoothstep, unit
from toolkit_plugins.heads360.shaping import Bust

_LINE_Z = (-1.3, -0.2, 0.1, 0.2, 0.35, 0.65, 0.8, 1.0, 1.2, 1.4, 1.6)
_LINE_Y = (6.62, 6.72, 6.9, 7.2, 7.42, 7.38, 7.5, 7.78, 7.97, 8.05, 8.05)
_CLOTH_BELOW = 5.95
_CLOTH_THICKNESS = 0.24


def above_hairline(places: Floats, recession: float = 0.0) -> Floats:
    """Signed height [...] above the hairline, for template coordinates [..., 3]; recession in 0..1.5."""
    x, y, z = np.abs(places[..., 0]), places[..., 1], places[..., 2]
    line = np.interp(z, _LINE_Z, _LINE_Y).astype(F32)
    temples = smoothstep(0.12, 0.5, x) * smoothstep(0.7, 1.1, z)
    return np.asarray(y - line - recession * (0.5 * temples + 0.28 * smoothstep(0.7, 1.2, z)))


class Roots(NamedTuple):
    """Points on the skin from which strands grow."""

    points: Floats
    """[N, 3]."""
    normals: Floats
    """[N, 3]."""
    places: Floats
    """[N, 3] template coordinates."""


class Scalp:
    """The skin of a bust, as hair sees it."""

    def __init__(self, bust: Bust, headgear: str = "none") -> None:
        base = anatomy()
        self.bust, self.headgear = bust, headgear
        used = base.body_vertices
        used = used[(base.template[used, 1] > 4.4) & (base.masks["inside-mouth"][used] < 0.5)]
        thickness = np.where(base.template[used, 1] < _CLOTH_BELOW, F32(_CLOTH_THICKNESS), F32(0))
        self.normals = bust.normals[used]
        self.points = bust.points[used] + self.normals * thickness[:, None]
        self.tree = cKDTree(self.points)

    def mask(self, recession: float) -> Floats:
        """How densely hair grows at each vertex [V], 0..1."""
        base = anatomy()
        dense = smoothstep(-0.01, 0.1, above_hairline(base.template, recession))
        return np.asarray(dense * ~base.is_ear * (base.masks["ears"] < 0.5) * base.is_body)

    def roots(self, rng: np.random.Generator, mask: Floats, count: int) -> Roots | None:
        """Random points on the skin, as dense as `mask` [V] says; None where it says nowhere."""
        base = anatomy()
        faces = base.body[mask[base.body].max(1) > 0]
        points, normals = self.bust.points, self.bust.normals
        sides = points[faces]
        area = np.linalg.norm(np.cross(sides[:, 1] - sides[:, 0], sides[:, 2] - sides[:, 0]), axis=1)
        density = area * mask[faces].mean(1)
        if density.sum() < 1e-7:
            return None
        chosen = faces[rng.choice(len(faces), count, p=density / density.sum())]
        corner = rng.dirichlet([1, 1, 1], count).astype(F32)[..., None]
        mixed = ((values[chosen] * corner).sum(1) for values in (points, normals, base.template))
        at, normal, place = mixed
        return Roots(at, unit(normal), place)

    def pushed_out(self, points: Floats, lift: Floats | float) -> tuple[Floats, Floats]:
        """Points [N, 3] moved out of the skull, at least `lift` above it, and the skin's normals [N, 3] there."""
        distance, nearest = self.tree.query(points)
        normals = self.normals[nearest]
        height = ((points - self.points[nearest]) * normals).sum(1)
        push = np.where(distance < 0.45, np.maximum(0, lift - height), 0).astype(F32)
        return points + normals * push[:, None], normals

    def at_place(self, place: Ints | Floats | tuple[float, float, float]) -> Floats:
        """The world point [3] of a template place, by the nearest vertex of the skin."""
        base = anatomy()
        target = np.asarray(place, F32)
        vertices = base.body_vertices
        nearest = vertices[np.argmin(((base.template[vertices] - target) ** 2).sum(1))]
        return np.asarray(self.bust.points[nearest] + (target - base.template[nearest]), F32)
