"""Rays from points to spots on the lamp."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit_plugins.heads360.compiled.arithmetic import Vector, along, called, kernel, scaled, unit
from toolkit_plugins.heads360.geometry import F32, Floats

SPOTS = 6
"""Most spots that a point looks at."""
_START, _LIFT = 0.03, F32(0.012)
"""Rays leave this far from the surface, after they were lifted along its normal, decimetres."""
_ANGLE, _RADIUS = np.uint32(0x9E3779B1), np.uint32(0x85EBCA6B)
_MIXERS = np.uint32(0x8DA6B343), np.uint32(0xD8163841), np.uint32(0xCB1AB31F), np.uint32(0xC2B2AE35)


class Lamp(NamedTuple):
    """A disc far away."""

    direction: Vector
    right: Vector
    up: Vector
    size: float
    """Radius as a slope."""


@kernel
def lamp_rays(
    bits: NDArray[np.uint32], points: Floats, normals: Floats, own: NDArray[np.int64], first: int, lamp: Lamp,
    origins: Floats, directions: Floats,
) -> None:  # fmt: skip
    """Write rays to spots from `first` on, as many for each point as there is room for.

    Args:
        bits: [N, 3], the points' floating-point numbers: they alone decide what is random.
        points: [N, 3] decimetres.
        normals: [N, 3].
        own: [M], which points.
        first: 0 for the two spots that come first, 2 for the other four.
        lamp: The lamp.
        origins: [M, S, 3] decimetres.
        directions: [M, S, 3].
    """
    for row in range(len(own)):
        at = own[row]
        angle = _random(bits, at, _ANGLE) * 2 * math.pi
        radius = math.sqrt(0.15 + 0.85 * _random(bits, at, _RADIUS))
        for place in range(origins.shape[1]):
            turn, reach = _spot(first + place, radius)
            towards = _towards(lamp, angle + turn, reach * lamp.size)
            for axis in range(3):
                lifted = points[at, axis] + normals[at, axis] * _LIFT
                directions[row, place, axis] = towards[axis]
                origins[row, place, axis] = lifted + F32(towards[axis]) * F32(_START)


@called
def _spot(number: int, radius: float) -> tuple[float, float]:
    """How far a spot is turned and how far out it is, 0..1; the first two lie at a random radius."""
    if number < 2:
        return number * math.pi, radius
    return math.pi * (0.5 + number * 0.618 * 2), math.sqrt((number - 1.5) / (SPOTS - 1.5))


@called
def _towards(lamp: Lamp, angle: float, reach: float) -> Vector:
    """Direction of a spot."""
    beside = along(scaled(lamp.right, reach * math.cos(F32(angle))), lamp.up, reach * math.sin(F32(angle)))
    return unit(along(lamp.direction, beside, 1.0))


@called
def _random(bits: NDArray[np.uint32], at: int, salt: np.uint32) -> float:
    """A random number in 0..1 that only the point decides, the same on every machine."""
    x, y, z = bits[at, 0], bits[at, 1], bits[at, 2]
    mixed = np.uint32(x * _MIXERS[0]) ^ np.uint32(y * _MIXERS[1]) ^ np.uint32(z * _MIXERS[2])
    mixed = np.uint32(np.uint32(mixed ^ np.uint32(mixed >> np.uint32(15))) * salt)
    mixed = np.uint32(np.uint32(mixed ^ np.uint32(mixed >> np.uint32(13))) * _MIXERS[3])
    return np.uint32(np.uint32(mixed ^ np.uint32(mixed >> np.uint32(16))) >> np.uint32(8)) / (1 << 24)
