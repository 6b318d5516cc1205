"""Strands of hair, point by point: two highlights along the strand, and light through the hair's mass."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit_plugins.heads360.compiled.arithmetic import (
    Vector,
    along,
    between,
    called,
    clipped,
    dot,
    kernel,
    row_of,
    scaled,
    smooth,
    times,
    unit,
)
from toolkit_plugins.heads360.compiled.fog import light_inside
from toolkit_plugins.heads360.geometry import F32, Floats
from toolkit_plugins.heads360.parts import Kind
from toolkit_plugins.heads360.shading.samples import Samples

_HAIR, _BROW, _BEARD, _LASH = int(Kind.HAIR), int(Kind.BROW), int(Kind.BEARD), int(Kind.LASH)
_GREY = (0.40, 0.40, 0.41)
_BEARD_TINT = (0.92, 0.78, 0.70)
_WHITE = (1.0, 1.0, 1.0)


class StrandLook(NamedTuple):
    """What is the same for all strands of a head in a light."""

    colour: Vector
    """Without grey."""
    grey: float
    lamp_direction: Vector
    lamp: Vector
    around: Vector
    """All light but the lamp's."""


@kernel
def shade_strand_points(
    own: NDArray[np.int64], s: Samples, look: StrandLook, grids: Floats, radiance: Floats
) -> None:  # fmt: skip
    """Write the radiance [N, 3] of some of the points.

    Args:
        own: [M], which points.
        s: N points.
        look: Of the head.
        grids: [voxels, 5], light inside the hair; [0, 5] where there is none.
        radiance: [N, 3].
    """
    for at in own:
        kind = s.kinds[at]
        if kind == _LASH:
            seen = times(along((0.012, 0.012, 0.012), look.colour, 0.04), scaled(look.around, 0.3))
        else:
            ambient, open_lamp = scaled(look.around, 0.4), 0.6
            if len(grids) and kind in (_HAIR, _BEARD):
                ambient, open_lamp = light_inside(grids, row_of(s.points, at))
            seen = _lit(s, at, look, ambient, open_lamp)
        radiance[at, 0], radiance[at, 1], radiance[at, 2] = seen


@called
def _lit(s: Samples, at: int, look: StrandLook, ambient: Vector, open_lamp: float) -> Vector:
    """Radiance of a strand in this light; `open_lamp` is the share of the lamp that comes through the hair."""
    kind, place, tone = s.kinds[at], float(s.extra[at, 0]), float(s.extra[at, 1])
    tangent, normal, view = unit(row_of(s.places, at)), row_of(s.normals, at), row_of(s.viewer, at)
    colour = _colour(kind, place, tone, look)
    facing_lamp = clipped(0.35 + 0.65 * dot(normal, look.lamp_direction), 0.0, 1.0)
    across = math.sqrt(clipped(1 - dot(tangent, look.lamp_direction) ** 2, 0.0, 1.0))
    facing = 0.55 + 0.45 * clipped(dot(normal, view), 0.0, 1.0)
    root = 0.6 + 0.4 * smooth(0.0, 0.35, place) if kind == _HAIR else 1.0
    received = along(scaled(ambient, 0.42 * facing), look.lamp, open_lamp * across * facing_lamp * 0.42)
    seen = scaled(times(colour, received), root)
    spread = 0.1 * (tone - 0.5)
    white = 0.075 * _highlight(tangent, normal, view, look.lamp_direction, spread - 0.08) ** 60
    tinted = 0.40 * _highlight(tangent, normal, view, look.lamp_direction, spread + 0.14) ** 16
    gleam = along(scaled(_WHITE, white), _tint(colour), tinted)
    seen = along(seen, times(gleam, look.lamp), open_lamp * facing_lamp * 0.6)
    return along(seen, ambient, 0.03 * (0.35 + 0.9 * clipped(normal[1], 0.0, 1.0)) * (0.4 + 1.2 * tone))


@called
def _colour(kind: int, place: float, tone: float, look: StrandLook) -> Vector:
    """Albedo of a strand at a place along it; each has its own shade."""
    grey = look.grey
    number = F32(tone) * F32(7.13)
    salted = 0.5 if number - math.floor(number) < F32(grey) else -0.5
    share = 1.05 * grey + (tone - 0.5) * min(0.6, 2 * grey) + 0.25 * salted * min(1.0, 4 * grey * (1 - grey))
    share = clipped(share, 0.0, 1.0)
    if kind == _BROW:
        return along(scaled(look.colour, 1 - 0.7 * share), _WHITE, 0.17 * share + 0.012)
    strength = math.exp(F32(0.5 * (tone - 0.5))) * (0.8 + 0.25 * place) * 1.5
    colour = along(scaled(between(look.colour, _GREY, share), strength), _WHITE, 0.008)
    return times(colour, _BEARD_TINT) if kind == _BEARD else colour


@called
def _tint(colour: Vector) -> Vector:
    """A colour to the power of 3/4."""
    red, green, blue = math.sqrt(colour[0]), math.sqrt(colour[1]), math.sqrt(colour[2])
    return red * math.sqrt(red), green * math.sqrt(green), blue * math.sqrt(blue)


@called
def _highlight(tangent: Vector, normal: Vector, view: Vector, lamp: Vector, shift: float) -> float:
    """Cosine between the lamp and what a strand mirrors, shifted along it; 0 where it is negative."""
    tilted = unit(along(tangent, normal, shift))
    a, b = dot(tilted, lamp), dot(tilted, view)
    cosine = math.sqrt(clipped(1 - a * a, 0.0, 1.0)) * math.sqrt(clipped(1 - b * b, 0.0, 1.0)) - a * b
    return clipped(cosine, 0.0, 1.0)
