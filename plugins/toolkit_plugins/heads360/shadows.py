"""Soft shadows: points look at spots on the lamp, two first, and more where these two disagree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolkit_plugins.heads360.geometry import F32, Floats, unit
from toolkit_plugins.heads360.light import Light
from toolkit_plugins.heads360.scene import Scene

_START = 0.03
"""Rays leave this far from the surface, decimetres."""
_SPOTS = 6


def lamp_seen(scene: Scene, light: Light, points: Floats, normals: Floats) -> Floats:
    """Share [N] of the lamp that points [N, 3] see; 0 where they face away from it."""
    seen = np.zeros(len(points), F32)
    facing = np.nonzero(normals @ light.lamp_direction > -0.25)[0]
    if not len(facing):
        return seen
    at = points[facing]
    origins = at + normals[facing] * F32(0.012)
    angle, radius = (_hashed(at, salt) for salt in (0x9E3779B1, 0x85EBCA6B))
    angle, radius = angle * F32(2 * np.pi), np.sqrt(0.15 + 0.85 * radius)
    first, second = (_clear(scene, light, origins, angle + turn, radius) for turn in (0, np.pi))
    share = (first + second) / F32(2)
    unsure = np.nonzero(first != second)[0]
    if len(unsure):
        total = 2 * share[unsure]
        for spot in range(2, _SPOTS):
            turn, reach = np.pi * (0.5 + spot * 0.618 * 2), np.sqrt((spot - 1.5) / (_SPOTS - 1.5))
            total += _clear(scene, light, origins[unsure], angle[unsure] + turn, np.full(len(unsure), reach))
        share[unsure] = total / _SPOTS
    seen[facing] = share
    return seen


def _clear(scene: Scene, light: Light, origins: Floats, angle: Floats, radius: Floats) -> Floats:
    """1 where a spot of the lamp is seen, 0 where something is before it."""
    right = unit(np.cross([0.0, 1.0, 0.0], light.lamp_direction))
    up = np.cross(light.lamp_direction, right)
    reach = radius * light.lamp_size
    offset = (reach * np.cos(angle))[:, None] * right + (reach * np.sin(angle))[:, None] * up
    towards = unit(light.lamp_direction + offset)
    return (~scene.blocked(origins + towards * F32(_START), towards)).astype(F32)


def _hashed(points: Floats, salt: int) -> Floats:
    """Random numbers [N] in 0..1 that only the points decide, the same on every machine."""
    bits: NDArray[np.uint32] = np.ascontiguousarray(points, F32).view(np.uint32)
    mixed = bits[:, 0] * np.uint32(0x8DA6B343) ^ bits[:, 1] * np.uint32(0xD8163841) ^ bits[:, 2] * np.uint32(0xCB1AB31F)
    mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(salt)
    mixed = (mixed ^ (mixed >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return ((mixed ^ (mixed >> np.uint32(16))) >> np.uint32(8)).astype(F32) / F32(1 << 24)
