"""What shading looks at, gathered for every point that a ray met."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from toolkit_plugins.heads360.compiled.arithmetic import called, kernel
from toolkit_plugins.heads360.geometry import F32, Floats
from toolkit_plugins.heads360.scene import Hits
from toolkit_plugins.heads360.shading.samples import Samples


@kernel
def gather(
    faces: NDArray[np.int32], features: Floats, hits: Hits, origins: Floats, directions: Floats, s: Samples
) -> None:  # fmt: skip
    """Write all of N points but their kinds and their share of the lamp.

    Args:
        faces: [T, 3].
        features: [V, 8], see `Solid.features`.
        hits: Of N rays, each on a triangle.
        origins: [N, 3] decimetres.
        directions: [N, 3], unit.
        s: N points.
    """
    for at in range(len(origins)):
        u, v = hits.u[at], hits.v[at]
        s.weights[at, 0], s.weights[at, 1], s.weights[at, 2] = F32(1) - u - v, u, v
        for axis in range(3):
            s.corners[at, axis] = faces[hits.triangle[at], axis]
            s.points[at, axis] = origins[at, axis] + directions[at, axis] * hits.distance[at]
            s.viewer[at, axis] = -directions[at, axis]
        for axis in range(3):
            s.normals[at, axis] = _read(features, s, at, axis)
            s.places[at, axis] = _read(features, s, at, 3 + axis)
        s.extra[at, 0], s.extra[at, 1] = _read(features, s, at, 6), _read(features, s, at, 7)
        _turn(s.normals, directions, at)


@called
def _read(features: Floats, s: Samples, at: int, column: int) -> np.float32:
    a, b, c = s.corners[at, 0], s.corners[at, 1], s.corners[at, 2]
    read = features[a, column] * s.weights[at, 0]
    read += features[b, column] * s.weights[at, 1]
    return read + features[c, column] * s.weights[at, 2]


@called
def _turn(normals: Floats, directions: Floats, at: int) -> None:
    """Make a normal [N, 3] one long, and turn it to where its ray comes from."""
    x, y, z = normals[at, 0], normals[at, 1], normals[at, 2]
    length = max(math.sqrt(x * x + y * y + z * z), F32(1e-9))
    x, y, z = x / length, y / length, z / length
    away = x * directions[at, 0] + y * directions[at, 1] + z * directions[at, 2] > F32(0.2)
    normals[at, 0], normals[at, 1], normals[at, 2] = (-x, -y, -z) if away else (x, y, z)
