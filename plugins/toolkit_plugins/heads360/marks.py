"""Marks and patterns of the wild domain, painted over the clean colours; colours are [3, N]."""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit_plugins.heads360 import palette
from toolkit_plugins.heads360.details import Cloth, Spots, Texture, Wrinkles
from toolkit_plugins.heads360.parameters import HeadParameters
from toolkit_plugins.heads360.shape import Anatomy
from toolkit_plugins.heads360.solids import Place, Points, bell


def mottled(colour: Tensor, points: Points, texture: Texture) -> Tensor:
    """Skin that is lighter here and darker there."""
    total = torch.zeros_like(points.x)
    for (x, y, z), phase in texture.waves:
        total = total + torch.sin(points.x * x + points.y * y + points.z * z + phase)
    return colour * (1 + texture.strength / len(texture.waves) ** 0.5 * total)


def spotted(colour: Tensor, points: Points, spots: Spots) -> Tensor:
    """Moles or freckles on the front of the face."""
    if not spots.places:
        return colour
    x, y, radius = points.x.new_tensor(spots.places).unbind(1)
    near = ((points.x[:, None] - x).square() + (points.y[:, None] - y).square()) / radius.square()
    coverage = torch.exp(-near.square()).amax(1) * (points.z > 0.06)
    return torch.lerp(colour, colour * palette.colour(points.x, 0.45, 0.30, 0.25), spots.strength * coverage)


def wrinkled(colour: Tensor, q: Points, wrinkles: Wrinkles, p: HeadParameters, at: Anatomy) -> Tensor:
    """Lines across the forehead, beside and below the eyes, from nose to mouth; q is folded."""
    front = torch.sigmoid((q.z - 0.09) / 0.012)
    lines = wrinkles.forehead * _forehead(q, at) + wrinkles.eyes * _round_the_eyes(q, at)
    lines = lines + wrinkles.cheeks * _smile_fold(q, p, at)
    return colour * (1 - (lines * front).clamp(0, 1) * palette.colour(q.x, 0.26, 0.33, 0.34))


def _forehead(q: Points, at: Anatomy) -> Tensor:
    lines = torch.zeros_like(q.x)
    for row in range(3):
        height = at.brow[1] + 0.030 + 0.015 * row - 1.2 * q.x.square() + 0.0015 * torch.sin(70 * q.x + 2 * row)
        lines = lines + bell(q.y - height, 0.0020) * torch.sigmoid((0.062 - 0.008 * row - q.x) / 0.008)
    return lines


def _round_the_eyes(q: Points, at: Anatomy) -> Tensor:
    x, y, _ = at.eye
    dx, dy, r = q.x - x, q.y - y, at.eye_radius
    out = (dx.square() + dy.square()).sqrt()
    rays = torch.cos(torch.atan2(dy, dx) * 14).clamp_min(0).square()
    crow = rays * bell(out - 1.30 * r, 0.24 * r) * torch.sigmoid((dx - 1.05 * r) / 0.003)
    bag = bell(out - 1.16 * r, 0.0026) * torch.sigmoid((-dy - 0.45 * r) / 0.004)
    return crow + 0.8 * bag


def _smile_fold(q: Points, p: HeadParameters, at: Anatomy) -> Tensor:
    start: Place = (0.030 * p.nose_width, at.nose_tip[1] + 0.002, 0.0)
    end: Place = (at.mouth_half + 0.013, at.mouth[1] + 0.004, 0.0)
    dx, dy = end[0] - start[0], end[1] - start[1]
    share = (((q.x - start[0]) * dx + (q.y - start[1]) * dy) / (dx * dx + dy * dy)).clamp(0, 1)
    bulge = 0.006 * 4 * share * (1 - share)
    away = (q.x - start[0] - share * dx - bulge).square() + (q.y - start[1] - share * dy).square()
    return torch.exp(-away / 0.0026**2)


def streaked(colour: Tensor, points: Points, contrast: float) -> Tensor:
    """Hair with single strands, finer than the ridges."""
    around = torch.atan2(points.x, points.z + 0.03)
    fine = torch.sin(150 * around + 4 * torch.sin(11 * points.y + 3 * around))
    return colour * (1 + contrast * fine * torch.sin(37 * around + 16 * points.y))


def patterned(colour: Tensor, points: Points, cloth: Cloth) -> Tensor:
    """Cloth of two colours; the pattern runs round the body."""
    if cloth.pattern == "plain":
        return colour
    turn = 6.2831853 / cloth.pitch
    across = torch.atan2(points.x, points.z + 0.05) * 0.22
    u, v = torch.sin(turn * across), torch.sin(turn * points.y)
    level = {"stripes": v / 0.25, "dots": (u * v - 0.30) / 0.10, "checks": (u.sign() * u.abs().sqrt() * v) / 0.2}
    return torch.lerp(colour, palette.colour(points.x, *cloth.colour), torch.sigmoid(3 * level[cloth.pattern]))
