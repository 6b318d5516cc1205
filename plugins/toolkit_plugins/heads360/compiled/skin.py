"""Skin, point by point: its colour, the light that it sends to the viewer, its label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolkit_plugins.heads360.compiled.arithmetic import (
    Vector,
    along,
    called,
    clipped,
    kernel,
    mixed,
    mixed_row,
    row_of,
    scaled,
    smooth,
    times,
)
from toolkit_plugins.heads360.compiled.skin_colour import haired, lipped, pigmented
from toolkit_plugins.heads360.compiled.skin_light import SkinLight, bumped, gloss, lamp_on_skin
from toolkit_plugins.heads360.compiled.skin_look import EARS, INSIDE, LIPS, NECK, OPEN, SkinLook, SkinNoise
from toolkit_plugins.heads360.geometry import Floats
from toolkit_plugins.heads360.labels import Label
from toolkit_plugins.heads360.shading.samples import Samples

_SKIN, _NECK, _EAR, _HAIR, _BROW, _LIP, _MOUTH = (
    int(label) for label in (Label.SKIN, Label.NECK, Label.EAR, Label.HAIR, Label.BROW, Label.LIP, Label.MOUTH)
)


@kernel
def shade_skin_points(
    own: NDArray[np.int64], s: Samples, look: SkinLook, noise: SkinNoise, irradiance: Floats, light: SkinLight,
    radiance: Floats, labels: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Write radiance [N, 3] and labels [N] of some of the points.

    Args:
        own: [M], which points.
        s: N points.
        look: The person.
        noise: At these points.
        irradiance: [V, 3] / pi, without the lamp.
        light: The light.
        radiance: [N, 3].
        labels: [N].
    """
    for row in range(len(own)):
        at = own[row]
        place = row_of(s.places, at)
        lip = smooth(0.35, 0.65, mixed(look.map, s, at, LIPS) + 0.06 * noise.edge[row])
        inside = smooth(0.4, 0.8, mixed(look.map, s, at, INSIDE)) * (1 - lip)
        colour = pigmented(s, at, place, look, noise, row)
        colour, scalp, brow = haired(s, at, place, look, colour, noise.hair[row], lip)
        colour = lipped(look, colour, lip, inside, noise.lines[row])
        deep = inside > 0.5 and place[2] < 1.44
        normal, crease = bumped(s, at, place, look, noise, row, lip)
        colour = scaled(colour, (1 - 0.35 * crease) * (0.35 if deep else 1.0))
        seen = _lit(s, at, look, irradiance, light, normal, colour)
        seen = along(seen, gloss(s, at, normal, look, light, lip), 0.2 if deep else 1.0)
        radiance[at, 0], radiance[at, 1], radiance[at, 2] = seen
        labels[at] = _label(s, at, look, scalp, brow, lip, inside)


@called
def _lit(
    s: Samples, at: int, look: SkinLook, irradiance: Floats, light: SkinLight, normal: Vector, colour: Vector
) -> Vector:  # fmt: skip
    """What skin of a colour sends back of the light around and the lamp's, and of what neighbouring skin sends."""
    open_share = mixed(look.map, s, at, OPEN)
    relief = clipped(1 + 0.55 * (normal[1] - s.normals[at, 1]), 0.5, 1.5) * (0.55 + 0.45 * open_share)
    received = scaled(mixed_row(irradiance, s, at), relief)
    bounce = scaled(colour, 0.12 * (1 - open_share) * (received[0] + received[1] + received[2]) / 3)
    lamp = lamp_on_skin(normal, light, s.lamp[at])
    return times(colour, along(along(received, lamp, 1.0), bounce, 1.0))


@called
def _label(s: Samples, at: int, look: SkinLook, scalp: float, brow: float, lip: float, inside: float) -> int:
    if inside > 0.5:
        return _MOUTH
    if lip > 0.5:
        return _LIP
    if brow > 0.2:
        return _BROW
    if scalp > 0.5:
        return _HAIR
    if mixed(look.map, s, at, EARS) > 0.5:
        return _EAR
    return _NECK if mixed(look.map, s, at, NECK) > 0.5 else _SKIN
