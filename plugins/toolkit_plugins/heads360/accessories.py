"""Hats and earrings of the wild domain: signed distances [N] and colours [3, N]."""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit_plugins.heads360 import palette
from toolkit_plugins.heads360.details import Accessory
from toolkit_plugins.heads360.parameters import HeadParameters
from toolkit_plugins.heads360.shape import Anatomy
from toolkit_plugins.heads360.solids import Points, bell, cut, ellipsoid, length, sphere, union

_EDGE_Y, _EDGE_SLOPE = 0.086, 0.17
"""A hat's lower edge: over the brows in front, lower behind."""
_ABSENT = 9.0


def hat(q: Points, kind: str, at: Anatomy, hair_thickness: float) -> Tensor:
    """A knitted cap with a cuff, or a hat with a flat brim, over hair of a given thickness."""
    above = q.y - (_EDGE_Y + _EDGE_SLOPE * q.z)
    cloth = 0.010 if kind == "knitted" else 0.012
    crown = ellipsoid(q, at.skull, at.skull_radii) - (hair_thickness + cloth)
    if kind == "knitted":
        cuff = 0.007 * torch.sigmoid((0.040 - above) / 0.003)
        ribs = 0.0018 * torch.sin(56 * torch.atan2(q.x, q.z + 0.02))
        return cut(crown - cuff - ribs, -above, 0.010)
    out = ((q.x / 0.97).square() + (q.z + 0.015).square()).sqrt() - 0.265
    brim = (out.clamp_min(0).square() + (above - 0.004).square()).sqrt() - 0.006
    return union(cut(crown, -above, 0.006), brim, 0.016)


def hat_colour(points: Points, accessory: Accessory) -> Tensor:
    """Rows of stitches, or felt with a ribbon."""
    base = palette.colour(points.x, *accessory.colour)
    above = points.y - (_EDGE_Y + _EDGE_SLOPE * points.z)
    if accessory.kind == "knitted":
        stitches = torch.sin(56 * torch.atan2(points.x, points.z + 0.02)) * torch.sin(260 * points.y)
        return base * (1 + 0.16 * stitches)
    ribbon = bell(above - 0.030, 0.016)
    return torch.lerp(base.expand(3, len(ribbon)), base * 0.35, 0.9 * ribbon)


def earrings(points: Points, accessory: Accessory, p: HeadParameters, at: Anatomy) -> Tensor:
    """Studs in the lobes, or hoops below them; `points` are not folded, since one may be missing."""
    q, (x, y, z) = points.folded(), at.ear
    lobe = y - 0.047 * p.ear_size
    if accessory.kind == "stud":
        d = sphere(q, (x + 0.014, lobe + 0.012, z + 0.004), 0.0075)
    else:
        dy, dz = q.y - (lobe - 0.014), q.z - z
        round_trip = (dy.square() + dz.square()).sqrt() - 0.019
        d = length(round_trip, q.x - (x + 0.008), torch.zeros_like(round_trip)) - 0.0034
    left, right = accessory.sides
    if not left:
        d = torch.where(points.x < 0, _ABSENT, d)
    return d if right else torch.where(points.x > 0, _ABSENT, d)
