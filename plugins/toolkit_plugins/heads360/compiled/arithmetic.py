"""What the kernels of this folder compute with: vectors of three numbers, smooth steps, values of vertices."""

from __future__ import annotations

import math
from pathlib import Path

from toolkit.rendering.compiled.compiling import called, kernels_of
from toolkit_plugins.heads360.geometry import Floats
from toolkit_plugins.heads360.shading.samples import Samples

kernel = kernels_of(Path(__file__).parents[1])
"""Compiles what loops over points; kept until a file of the people changes."""
Vector = tuple[float, float, float]


@called
def clipped(value: float, low: float, high: float) -> float:
    """A number brought between two others."""
    return min(max(value, low), high)


@called
def smooth(low: float, high: float, value: float) -> float:
    """See `geometry.smoothstep`."""
    t = clipped((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


@called
def row_of(values: Floats, row: int) -> Vector:
    """Three numbers of a table [N, 3]."""
    return float(values[row, 0]), float(values[row, 1]), float(values[row, 2])


@called
def dot(a: Vector, b: Vector) -> float:
    """A scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@called
def scaled(a: Vector, factor: float) -> Vector:
    """A vector times a number."""
    return a[0] * factor, a[1] * factor, a[2] * factor


@called
def along(a: Vector, b: Vector, share: float) -> Vector:
    """`a` plus a multiple of `b`."""
    return a[0] + b[0] * share, a[1] + b[1] * share, a[2] + b[2] * share


@called
def between(a: Vector, b: Vector, share: float) -> Vector:
    """`a` where the share is 0, `b` where it is 1."""
    return along(scaled(a, 1 - share), b, share)


@called
def times(a: Vector, b: Vector) -> Vector:
    """Products of the numbers of two vectors."""
    return a[0] * b[0], a[1] * b[1], a[2] * b[2]


@called
def unit(a: Vector) -> Vector:
    """See `geometry.unit`."""
    return scaled(a, 1 / max(math.sqrt(dot(a, a)), 1e-9))


@called
def mirrored(normal: Vector, view: Vector) -> Vector:
    """Where light comes from that a mirror throws to the viewer."""
    return along(scaled(view, -1.0), normal, 2 * dot(normal, view))


@called
def mixed(values: Floats, s: Samples, row: int, column: int) -> float:
    """A column of the vertices' values [V, C] at a point."""
    a, b, c = s.corners[row, 0], s.corners[row, 1], s.corners[row, 2]
    u, v, w = s.weights[row, 0], s.weights[row, 1], s.weights[row, 2]
    return float(values[a, column] * u + values[b, column] * v + values[c, column] * w)


@called
def mixed_row(values: Floats, s: Samples, row: int) -> Vector:
    """Three columns of the vertices' values [V, 3] at a point."""
    return mixed(values, s, row, 0), mixed(values, s, row, 1), mixed(values, s, row, 2)
