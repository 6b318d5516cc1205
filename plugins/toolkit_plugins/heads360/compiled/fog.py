"""Hair as a density in voxels: what light comes through it, and what light there is inside."""

from __future__ import annotations

import numpy as np

from toolkit_plugins.heads360.compiled.arithmetic import Vector, called, clipped, kernel
from toolkit_plugins.heads360.geometry import F32, Floats

SIDE = 45
"""Voxels along each axis."""
VOXEL = 0.09
"""Side of a voxel, decimetres."""
LOW = -2.0
"""The lowest corner, along each axis."""
STRIDE = F32(0.11)
"""Between two looks along a ray, decimetres."""


@kernel
def clearness(
    density: Floats, origins: Floats, directions: Floats, rows: np.ndarray, columns: np.ndarray, steps: int,
    thickness: float, seen: Floats,
) -> None:  # fmt: skip
    """Multiply `seen` [R] by the share of light that comes through along rays.

    Args:
        density: [SIDE^3].
        origins: [N, 3].
        directions: [M, 3].
        rows: [R], the origin of each ray.
        columns: [R], its direction.
        steps: Looks along a ray.
        thickness: Of a density of 1, per decimetre.
        seen: [R], 0 where nothing is looked for.
    """
    for ray in range(len(rows)):
        if seen[ray] == 0:
            continue
        at, towards, total = rows[ray], columns[ray], F32(0)
        for step in range(steps):
            index = 0
            for axis in range(3):
                place = (origins[at, axis] - F32(LOW)) / F32(VOXEL)
                place += directions[towards, axis] * (STRIDE / F32(VOXEL)) * F32(step + 0.9)
                index = index * SIDE + int(min(max(place, F32(0)), F32(SIDE - 1)))
            total += density[index]
        seen[ray] *= np.exp(-F32(thickness) * STRIDE * total)


@called
def light_inside(grids: Floats, point: Vector) -> tuple[Vector, float]:
    """Ambient irradiance and share of the lamp at a point, from those of the voxels [SIDE^3, 5]; see `HairLight`."""
    x, y, z = _place(point[0]), _place(point[1]), _place(point[2])
    i, j, k = int(x), int(y), int(z)
    red = green = blue = lamp = known = 0.0
    for corner in range(8):
        dx, dy, dz = corner >> 2, (corner >> 1) & 1, corner & 1
        row = ((i + dx) * SIDE + j + dy) * SIDE + k + dz
        weight = abs(1 - dx - (x - i)) * abs(1 - dy - (y - j)) * abs(1 - dz - (z - k))
        red += weight * grids[row, 0]
        green += weight * grids[row, 1]
        blue += weight * grids[row, 2]
        lamp += weight * grids[row, 3]
        known += weight * grids[row, 4]
    share = 1 / max(known, 0.05)
    return (red * share, green * share, blue * share), lamp * share


@called
def _place(coordinate: float) -> float:
    return clipped((coordinate - LOW) / VOXEL - 0.5, 0.0, SIDE - 2.0)
