"""Light on skin at a point: pores and wrinkles, light that bleeds round edges, gloss."""

from __future__ import annotations

import math
from typing import NamedTuple

from toolkit_plugins.heads360.compiled.arithmetic import (
    Vector,
    along,
    called,
    clipped,
    dot,
    mirrored,
    mixed,
    row_of,
    scaled,
    smooth,
    times,
    unit,
)
from toolkit_plugins.heads360.compiled.skin_look import BAG, CROW, FOLD, FOREHEAD, OILY, OPEN, SkinLook, SkinNoise
from toolkit_plugins.heads360.geometry import F32
from toolkit_plugins.heads360.shading.samples import Samples


class SkinLight(NamedTuple):
    """See `Light`."""

    lamp_direction: Vector
    lamp: Vector
    sky: Vector
    ground: Vector
    side: float


@called
def bumped(
    s: Samples, at: int, place: Vector, look: SkinLook, noise: SkinNoise, row: int, lip: float
) -> tuple[Vector, float]:  # fmt: skip
    """Normal with pores and wrinkles, and how deep in a crease the point lies; `row` is that of its noise."""
    pores = noise.pores[0][row], noise.pores[1][row], noise.pores[2][row]
    normal = along(row_of(s.normals, at), pores, (0.085 + 0.10 * look.old) * (1 - 0.5 * lip))
    across, crease = _wrinkled(s, at, place, look, noise, row)
    crease += (0.25 * look.old + 0.55 * look.wrinkles + 0.3 * look.smile) * mixed(look.map, s, at, FOLD)
    crease += 0.3 * look.wrinkles * mixed(look.map, s, at, BAG)
    return unit((normal[0], normal[1] + across, normal[2])), clipped(crease, 0.0, 1.0)


@called
def _wrinkled(
    s: Samples, at: int, place: Vector, look: SkinLook, noise: SkinNoise, row: int
) -> tuple[float, float]:  # fmt: skip
    """What wrinkles on the forehead and beside the eyes add to the normal's height, and how deep they are."""
    across, deep = 0.0, 0.0
    if len(noise.forehead[0]):
        wave = F32(place[1] * 40 + 1.4 * noise.forehead[0][row] + 0.8 * noise.forehead[1][row])
        amount = (look.wrinkles + 0.6 * look.lifted) * mixed(look.map, s, at, FOREHEAD)
        amount *= 0.55 + 0.45 * noise.forehead[2][row]
        across, deep = 0.30 * amount * math.cos(wave), 0.6 * amount * smooth(0.75, 1.0, math.sin(wave))
    if len(noise.crow):
        wave = F32(place[1] * 70 + abs(place[0]) * (30 + 60 * (place[1] - 7.27)) + 1.5 * noise.crow[row])
        amount = (look.wrinkles + 0.3 * look.smile) * mixed(look.map, s, at, CROW)
        across += 0.24 * amount * math.cos(wave)
        deep += 0.5 * amount * smooth(0.7, 1.0, math.sin(wave))
    return across, deep


@called
def lamp_on_skin(normal: Vector, light: SkinLight, shadow: float) -> Vector:
    """The lamp's irradiance / pi, bleeding round edges, most in red."""
    facing = dot(normal, light.lamp_direction)
    red = _wrapped(facing, 0.22) * _power(shadow, 0.7)
    green = _wrapped(facing, 0.09) * _power(shadow, 0.95)
    return scaled(times((red, green, _wrapped(facing, 0.04) * shadow), light.lamp), 1 / math.pi)


@called
def _wrapped(facing: float, wrap: float) -> float:
    return _power(clipped((facing + wrap) / (1 + wrap), 0.0, 1.0), 1 + wrap)


@called
def _power(base: float, exponent: float) -> float:
    """Of a base in 0..1; 0 and 1 are what shadows are most of the time."""
    return base if base == 0 or base == 1 else float(F32(base) ** F32(exponent))


@called
def gloss(
    s: Samples, at: int, normal: Vector, look: SkinLook, light: SkinLight, lip: float
) -> Vector:  # fmt: skip
    """Mirrored light."""
    view, oily = row_of(s.viewer, at), mixed(look.map, s, at, OILY)
    sharp = 60.0 if lip > 0.5 else 15 + 14 * oily
    near = clipped(dot(normal, unit(along(light.lamp_direction, view, 1.0))), 1e-4, 1.0)
    facing_lamp = clipped(dot(normal, light.lamp_direction), 0.0, 1.0) * float(s.lamp[at])
    lobe = (sharp + 8) / 25 * _power(near, sharp) * facing_lamp if facing_lamp > 0 else 0.0
    amount = 0.030 * look.shine * (1 + 0.9 * lip) * (0.65 + 0.9 * oily)
    facing = clipped(dot(normal, view), 0.0, 1.0)
    fresnel = (0.022 + 0.4 * (1 - facing) ** 5) * mixed(look.map, s, at, OPEN) * 0.5
    return along(scaled(_shown(light, mirrored(normal, view)), fresnel), light.lamp, amount * lobe / 3)


@called
def _shown(light: SkinLight, direction: Vector) -> Vector:
    """See `Light.radiance`."""
    up = 0.5 + 0.5 * direction[1]
    sides = 1 + light.side * direction[0] + 0.15 * direction[2]
    return scaled(along(scaled(light.ground, 1 - up), light.sky, up), sides)
