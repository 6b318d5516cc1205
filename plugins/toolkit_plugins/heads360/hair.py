"""Hair and beard: offsets of the bare head, cut open where a face shows."""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit_plugins.heads360.parameters import HeadParameters
from toolkit_plugins.heads360.shape import Anatomy, bare
from toolkit_plugins.heads360.solids import Points, bell, cut, ellipsoid, smoothstep, sphere, union

STRAND_HEIGHT = 0.0035
"""How far the ridges of hair stand out."""


def thickness(p: HeadParameters) -> float:
    """World units between scalp and the hair's surface; 0 is a shaved head."""
    full = (0.014 + 0.030 * p.hair_volume) * (0.6 + 0.4 * smoothstep(0.0, 0.35, p.hair_length))
    return full * smoothstep(-0.33, -0.08, p.hair_length)


def strands(q: Points, p: HeadParameters) -> Tensor:
    """Height field [N] in -1..1 whose ridges run down from the crown like combed hair; q is not folded."""
    behind = q.z + 0.03
    around = torch.atan2(q.x, behind)
    down = (0.20 - q.y).clamp_(0, 0.6)
    sway = p.hair_wave * 0.22 * torch.sin(26 * down + 1.3 * torch.sin(2 * around))
    broad = torch.sin(17 * (around + sway) + 2.0 * torch.sin(5 * down))
    fine = torch.sin(41 * (around + 0.8 * sway) + 3 * torch.sin(9 * down + around))
    room = ((q.x.square() + behind.square()).sqrt() / 0.10).clamp_(0, 1)  # ridges would pile up at the crown
    return (0.6 * broad + 0.4 * fine) * room


def hair(q: Points, p: HeadParameters, at: Anatomy, strand_height: float = STRAND_HEIGHT) -> Tensor:
    """The mass of hair; q is not folded, since strands and parting differ between the sides."""
    thick, long = thickness(p), max(0.0, p.hair_length)
    fall = 0.30 * long
    side = q.x.abs()
    down = (-(q.y - 0.03)).clamp_min(0.0).clamp_max(fall)
    share = down / max(fall, 1e-3) * long
    hanging = Points(side * (1 - 0.10 * share), q.y + down, q.z * (1.0 + 0.1 * share))
    d = ellipsoid(hanging, at.skull, at.skull_radii) - thick
    d = d - strand_height * strands(q, p) * min(1.0, thick / 0.02)
    d = cut(d, -_face_opening(q, side, p), 0.014)
    d = cut(d, _lower_edge(q, p, fall), 0.018)
    room = 1 - smoothstep(0.02, 0.22, p.hair_length)
    if room > 0:  # short hair leaves the ears free
        ear = sphere(Points(side, q.y, q.z), (at.skull_radii[0] + 0.005, -0.018, -0.004), 0.070 * room)
        d = cut(d, -ear, 0.014)
    return d


def _face_opening(q: Points, side: Tensor, p: HeadParameters) -> Tensor:
    """An egg-shaped tunnel towards the viewer; its upper rim is the hairline."""
    long = max(0.0, p.hair_length)
    hairline = 0.168 - 0.072 * p.fringe * smoothstep(-0.1, 0.15, p.hair_length) + 0.20 * p.parting * q.x
    width = 0.128 + 0.014 * (1 - long) - 0.012 * p.fringe * long
    middle, half = (hairline - 0.21) / 2, (hairline + 0.21) / 2
    across, up = side / width, (q.y - middle) / half
    window = ((across.square() + up.square()).clamp_min(1e-9).sqrt() - 1) * 0.10
    depth = 0.075 - q.z - 0.25 * (q.y - 0.05).clamp_min(0)
    return torch.maximum(window, depth)


def _lower_edge(q: Points, p: HeadParameters, fall: float) -> Tensor:
    short = 1 - smoothstep(0.0, 0.3, p.hair_length)
    slope = 0.06 + 0.42 * short
    return (-0.052 - fall + 0.028 * short) + slope * (q.z.clamp(-0.2, 0.2) + 0.05) - q.y


def beard(q: Points, p: HeadParameters, at: Anatomy) -> Tensor:
    """Chin, cheeks and upper lip, but not the mouth; q is folded."""
    _, y, z = at.mouth
    grown = min(1.0, 1.4 * p.beard)
    radii = (0.062 + 0.02 * grown, 0.05 + 0.03 * grown, 0.062)
    chin = ellipsoid(q, (0.0, at.jaw[1] - 0.075 - 0.03 * grown, 0.115), radii)
    d = union(bare(q, at) - 0.016 * grown, chin, 0.05) + 0.035 * max(0.0, 1 - 3 * grown)
    d = d - 0.002 * torch.sin(160 * q.x + 5 * torch.sin(60 * q.y)) * grown
    top = q.y - (y + 0.034) - 0.75 * (q.x - 0.062).clamp_min(0) + 0.012 * bell(q.x, 0.012)
    d = cut(d, top, 0.010)
    d = cut(d, 0.02 - q.z, 0.02)
    return cut(d, -ellipsoid(q, (0.0, y - 0.001, z), (at.mouth_half * 1.08, 0.017, 0.07)), 0.006)
