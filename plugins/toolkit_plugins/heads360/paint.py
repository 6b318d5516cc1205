"""What is painted on the surfaces: every function gives colours [3, N] (or [3, 1]) in 0..1 before lighting.

Nothing depends on the viewer, not even the highlight of the eyes, so that a radiance field can learn it exactly.
`points` are in the head's frame, `q` are the same points folded to x >= 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit_plugins.heads360 import palette
from toolkit_plugins.heads360.hair import strands, thickness
from toolkit_plugins.heads360.parameters import HeadParameters
from toolkit_plugins.heads360.shape import Anatomy, lip_height
from toolkit_plugins.heads360.solids import Points, bell, smoothstep


def skin(q: Points, p: HeadParameters, at: Anatomy) -> Tensor:
    """Skin with blush, lips, mouth line, nostrils, brows, and a shadow of hair on a shaved head."""
    base = palette.skin_tone(p, q.x)
    blush = torch.exp(-((q.x - 0.095).square() + (q.y + 0.035).square()) / 0.0016) * (q.z > 0.06)
    colour = base * (1 - blush * palette.colour(q.x, 0.00, 0.13, 0.11))
    colour = _with_mouth(colour, q, p, at)
    x, y, _ = at.nose_tip
    nostril = ((q.x - x - 0.012 * p.nose_width) / 0.0058).square() + ((q.y - y + 0.0185) / 0.0048).square()
    colour = torch.lerp(colour, base * 0.28, 0.8 * torch.exp(-nostril) * (q.z > 0.15))
    colour = torch.lerp(colour, palette.hair_tone(p, q.x) * 0.65, 0.9 * _brow(q, p, at))
    shaved = 1 - smoothstep(0.0, 0.012, thickness(p))
    if shaved == 0:
        return colour
    upper = torch.sigmoid((q.y - 0.125 + 0.9 * (q.z - 0.02).clamp_max(0.0) + 0.25 * q.z) / 0.012)
    stubble = shaved * upper * torch.sigmoid((0.05 + q.y) / 0.02)
    return torch.lerp(colour, 0.6 * base + 0.4 * palette.hair_tone(p, q.x), 0.55 * stubble)


def _with_mouth(colour: Tensor, q: Points, p: HeadParameters, at: Anatomy) -> Tensor:
    half, full = at.mouth_half, lip_height(p)
    middle = at.mouth[1] + p.smile * (q.x / half).square()
    inside = 1 - (q.x / half).square()
    arch = full * inside.clamp_min(0).sqrt()
    top = middle + 1.9 * arch * (1 - 0.25 * bell(q.x, 0.006))
    bottom = middle - 2.3 * arch
    front = q.z > 0.12
    lips = torch.sigmoid((top - q.y) / 0.0012) * torch.sigmoid((q.y - bottom) / 0.0014) * (inside > 0) * front
    colour = torch.lerp(colour, palette.lip_tone(p, q.x), 0.85 * lips)
    line = bell(q.y - middle, 0.0026) * torch.sigmoid((half * 1.02 - q.x) / 0.002) * front
    return torch.lerp(colour, palette.colour(q.x, 0.22, 0.08, 0.08), 0.92 * line)


def _brow(q: Points, p: HeadParameters, at: Anatomy) -> Tensor:
    """Coverage [N] by eyebrows."""
    along = (q.x - at.brow[0]) / 0.047
    middle = at.brow[1] - 0.016 * along.square() + p.brow_tilt * along
    half = 0.0072 * p.brow_thickness * (1 - 0.45 * along.clamp(0, 1))
    inside = torch.sigmoid((half - (q.y - middle).abs()) / 0.0015)
    return inside * torch.sigmoid((1 - along.abs()) / 0.06) * (q.z > 0.08)


def ear(skin_colour: Tensor) -> Tensor:
    """Ears are a little redder than the skin around."""
    return skin_colour * palette.colour(skin_colour, 1.0, 0.94, 0.92)


def lid(skin_colour: Tensor) -> Tensor:
    """Lids are darker than the skin around."""
    return skin_colour * palette.colour(skin_colour, 0.93, 0.86, 0.85)


def eye(points: Points, p: HeadParameters, at: Anatomy) -> Tensor:
    """White, iris with a dark rim, pupil, highlight."""
    like = points.x
    dx, dy = like.abs() - at.eye[0] + 0.004, points.y - at.eye[1] - 0.001
    r = (dx.square() + dy.square()).sqrt() / at.eye_radius
    iris = palette.iris_tone(p, like) * (0.75 + 0.5 * ((r - 0.2) / 0.35).clamp(0, 1))
    white = palette.colour(like, 0.93, 0.92, 0.90)
    colour = torch.lerp(iris, white, torch.sigmoid((r - 0.57) / 0.03))
    colour = torch.lerp(colour, colour * 0.35, 0.8 * bell(r - 0.56, 0.06))
    pupil = palette.colour(like, 0.02, 0.02, 0.025)
    colour = torch.lerp(pupil, colour, torch.sigmoid((r - 0.26) / 0.03))
    aside = like - torch.sign(like) * at.eye[0] + 0.010
    spot = torch.exp(-((aside / 0.0052).square() + ((dy - 0.0105) / 0.0052).square()))
    return torch.lerp(colour, torch.ones_like(colour), 0.95 * spot)


def hair(points: Points, p: HeadParameters) -> Tensor:
    """Hair, lighter on the ridges."""
    ridges = strands(points, p)
    return palette.hair_tone(p, points.x) * (1 + 0.28 * ridges) + 0.05 * (ridges.clamp_min(0.4) - 0.4)


def clothes(points: Points, p: HeadParameters) -> Tensor:
    """Colour of the clothes at points: one tone with faint ribs."""
    return palette.clothes_tone(p, points.x) * (1 + 0.06 * torch.sin(90 * points.y))


def glasses(points: Points) -> Tensor:
    """Colour of the frames of glasses: near black."""
    return palette.colour(points.x, 0.07, 0.065, 0.075)


def lash(points: Points) -> Tensor:
    """Colour of lashes and lid lines: dark brown."""
    return palette.colour(points.x, 0.10, 0.065, 0.055)
