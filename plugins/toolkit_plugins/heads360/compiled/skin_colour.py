"""Colour of skin at a point: melanin and blood, freckles and moles, stubble, scalp, brows and lips."""

from __future__ import annotations

import math

from toolkit_plugins.heads360.compiled.arithmetic import (
    Vector,
    along,
    between,
    called,
    clipped,
    mixed,
    scaled,
    smooth,
    times,
)
from toolkit_plugins.heads360.compiled.skin_look import BLOOD, MELANIN, SCALP, STUBBLE, SkinLook, SkinNoise
from toolkit_plugins.heads360.geometry import F32
from toolkit_plugins.heads360.hair.face import BROW_LENGTH, BROW_START
from toolkit_plugins.heads360.shading.samples import Samples

_BASE, _MELANIN, _BLOOD, _YELLOW = (0.20, 0.40, 0.62), (1.85, 2.4, 2.75), (0.04, 0.46, 0.36), (0.0, 0.06, 0.5)
"""How much red, green and blue skin and its pigments take away, as exponents."""
_WHITE = (1.0, 1.0, 1.0)
_INSIDE = (0.16, 0.035, 0.03)
_NATURAL_LIPS = (0.92, 0.88, 0.92)


@called
def albedo(melanin: float, blood: float, yellow: float) -> Vector:
    """Colour of skin with these amounts of its pigments."""
    dark, red = clipped(melanin, 0.0, 1.3), clipped(blood, 0.0, 2.0)
    veiled = red * math.exp(F32(-1.5 * min(dark, 1.0)))
    depth = along(along(along(_BASE, _MELANIN, dark), _BLOOD, veiled), _YELLOW, yellow)
    return math.exp(F32(-depth[0])), math.exp(F32(-depth[1])), math.exp(F32(-depth[2]))


@called
def pigmented(s: Samples, at: int, place: Vector, look: SkinLook, noise: SkinNoise, row: int) -> Vector:
    """Colour of bare skin, with freckles and moles; `row` is that of the point's noise."""
    melanin = mixed(look.map, s, at, MELANIN) * (1 + 0.07 * noise.pigment[row]) + 0.02 * noise.melanin[row]
    if len(noise.freckles):
        x, y = (abs(place[0]) - 0.2) / 0.42, (place[1] - 7.0) / 0.26
        dense = math.exp(F32(-0.5 * (x * x + y * y))) + 0.12
        melanin += look.freckles * 0.26 * smooth(0.42, 0.7, noise.freckles[row]) * dense
    for mole in range(len(look.moles)):
        melanin += 0.45 * _mole(place, look, mole)
    uneven = 1 + 0.12 * noise.blood[row] + 0.08 * noise.pigment[row]
    return albedo(melanin, mixed(look.map, s, at, BLOOD) * uneven, look.yellow)


@called
def _mole(place: Vector, look: SkinLook, mole: int) -> float:
    x, y, z = place[0] - look.moles[mole, 0], place[1] - look.moles[mole, 1], place[2] - look.moles[mole, 2]
    radius = look.moles[mole, 3]
    return smooth(1.3, 0.6, math.sqrt(x * x + y * y + z * z) / radius)


@called
def haired(
    s: Samples, at: int, place: Vector, look: SkinLook, colour: Vector, fine: float, lip: float
) -> tuple[Vector, float, float]:  # fmt: skip
    """Skin with stubble, the scalp under hair and the ground of brows; and how much scalp and brow there is."""
    stubble = clipped(mixed(look.map, s, at, STUBBLE) * (0.75 + 0.5 * fine) * (1 - lip), 0.0, 1.0) * 0.62
    dark = along(scaled(look.hair, 0.5), _WHITE, 0.02)
    colour = between(colour, dark, stubble)
    scalp = clipped(mixed(look.map, s, at, SCALP) * (0.85 + 0.25 * fine), 0.0, 0.92)
    colour = between(colour, scaled(look.hair, 0.4), scalp)
    brow = _brow(place, look)
    return between(colour, along(dark, _WHITE, -0.01), brow), scalp, brow


@called
def _brow(place: Vector, look: SkinLook) -> float:
    """How much of a brow's ground there is; see `hair.face.brow_height`."""
    share = (abs(place[0]) - BROW_START) / BROW_LENGTH
    if place[2] <= 0.9 or share <= -0.05 or share >= 1.02:
        return 0.0
    inside = clipped(share, 0.0, 1.0)
    bent = min(inside * 1.05, 1.0)
    bow = math.sin(math.pi * bent * math.sqrt(math.sqrt(bent)))
    height = 7.445 + (0.05 + 0.03 * look.brow_arch) * bow - 0.025 * inside
    width = 0.033 * (1 - 0.62 * inside * math.sqrt(inside)) * look.brow_thickness
    brow = smooth(1.2, 0.3, abs(place[1] - height) / width) * smooth(-0.05, 0.2, share) * smooth(1.02, 0.75, share)
    return brow * 0.42 * look.brow_density


@called
def lipped(look: SkinLook, colour: Vector, lip: float, inside: float, lines: float) -> Vector:
    """Skin with lips, and the mouth's inside."""
    if lip > 0:
        natural = times(albedo(look.lip_melanin, look.lip_blood, look.yellow - 0.05), _NATURAL_LIPS)
        tint = along(scaled(natural, 1 - look.lipstick), look.lip_colour, 0.85 * look.lipstick)
        colour = along(scaled(colour, 1 - lip), tint, lip * (1 + 0.10 * lines))
    return between(colour, _INSIDE, inside)
