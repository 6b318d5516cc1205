"""Soft shadows: points look at spots on the lamp, two first, and more where these two disagree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolkit_plugins.heads360.compiled.lamp import SPOTS, Lamp, lamp_rays
from toolkit_plugins.heads360.geometry import F32, Floats, numbers, unit
from toolkit_plugins.heads360.light import Light
from toolkit_plugins.heads360.scene import Scene


def lamp_seen(scene: Scene, light: Light, points: Floats, normals: Floats) -> Floats:
    """Share [N] of the lamp that points [N, 3] see; 0 where they face away from it."""
    lamp = _lamp(light)
    own = np.nonzero(normals @ light.lamp_direction > -0.25)[0]
    clear = _clear(scene, lamp, points, normals, own, 0, 2)
    unsure = clear == 1
    more = _clear(scene, lamp, points, normals, own[unsure], 2, SPOTS)
    seen = np.zeros(len(points), F32)
    seen[own] = clear / F32(2)
    seen[own[unsure]] = (1 + more) / F32(SPOTS)
    return seen


def _clear(
    scene: Scene, lamp: Lamp, points: Floats, normals: Floats, own: NDArray[np.int64], first: int, end: int
) -> NDArray[np.int64]:  # fmt: skip
    """How many spots [M] from `first` to `end` some of the points [N, 3] see."""
    shape = (len(own), end - first, 3)
    origins, directions = np.empty(shape, F32), np.empty(shape, F32)
    points = np.ascontiguousarray(points)
    lamp_rays(points.view(np.uint32), points, normals, own, first, lamp, origins, directions)
    blocked = scene.blocked(origins.reshape(-1, 3), directions.reshape(-1, 3))
    return (~blocked).reshape(shape[:2]).sum(1)


def _lamp(light: Light) -> Lamp:
    right = unit(np.cross([0.0, 1.0, 0.0], light.lamp_direction))
    up = np.cross(light.lamp_direction, right)
    return Lamp(numbers(light.lamp_direction), numbers(right), numbers(up), float(light.lamp_size))
