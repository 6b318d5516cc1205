"""Small geometry on float32 arrays: normals, smooth steps, tubes, spheres, ribbons."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]
F32 = np.float32


class Surface(NamedTuple):
    """A triangle mesh with a normal for every point."""

    points: Floats
    """[V, 3]."""
    faces: Ints
    """[T, 3]."""
    normals: Floats
    """[V, 3], unit."""


def unit(vectors: ArrayLike) -> Floats:
    """Vectors [..., 3] scaled to length 1."""
    values = np.asarray(vectors, F32)
    lengths = np.sqrt(np.einsum("...i,...i->...", values, values))
    return values / np.maximum(lengths, F32(1e-9))[..., None]


def numbers(vector: Floats) -> tuple[float, float, float]:
    """A vector [3] as Python's numbers."""
    x, y, z = (float(number) for number in vector)
    return x, y, z


def dot(a: Floats, b: Floats) -> Floats:
    """Scalar products [...] of vectors [..., 3]."""
    return np.asarray(a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2])


def smoothstep(low: ArrayLike, high: ArrayLike, values: ArrayLike) -> Floats:
    """0 below `low`, 1 above `high`, smooth between; the other way round where `low` > `high`."""
    low = np.asarray(low, F32)
    t = np.clip((np.asarray(values, F32) - low) / (np.asarray(high, F32) - low), F32(0), F32(1))
    return np.asarray(t * t * (3 - 2 * t))


def bell(points: Floats, centre: ArrayLike, width: ArrayLike) -> Floats:
    """A Gaussian bump [...] of points [..., D], 1 at its centre."""
    away = (points - np.asarray(centre, F32)) / np.asarray(width, F32)
    return np.asarray(np.exp(F32(-0.5) * (away * away).sum(-1)))


def rotation(x: float, y: float, z: float) -> Floats:
    """The matrix of rotations about x, then y, then z, in radians."""
    cx, sx, cy, sy, cz, sz = np.cos(x), np.sin(x), np.cos(y), np.sin(y), np.cos(z), np.sin(z)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, F32)


def triangles_of(quads: Ints) -> Ints:
    """Two triangles [2Q, 3] for each of Q quads."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def vertex_normals(points: Floats, faces: Ints) -> Floats:
    """Area-weighted unit normals [V, 3]."""
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    face_normals = np.cross(b - a, c - a)
    total = np.empty_like(points)
    for axis in range(3):
        weights = np.tile(face_normals[:, axis], 3)
        total[:, axis] = np.bincount(faces.T.ravel(), weights, len(points))
    return unit(total)


def grid_quads(rows: int, columns: int, closed: bool = False, ring: bool = False) -> Ints:
    """Quads of a grid of rows x columns vertices; `closed` joins the last row to the first, `ring` the columns."""
    i, j = np.meshgrid(
        np.arange(rows if closed else rows - 1), np.arange(columns if ring else columns - 1), indexing="ij"
    )
    i2, j2 = (i + 1) % rows, (j + 1) % columns
    corners = [i * columns + j, i2 * columns + j, i2 * columns + j2, i * columns + j2]
    return np.stack(corners, -1).reshape(-1, 4)


def tube(
    path: ArrayLike, radius: ArrayLike, sides: int = 8, closed: bool = False, up: tuple[float, float, float] = (0, 1, 0)
) -> Surface:
    """A tube round a path [N, 3], its radius a number or [N]."""
    points = np.asarray(path, F32)
    ahead = np.roll(points, -1, 0) - np.roll(points, 1, 0) if closed else np.gradient(points, axis=0)
    ahead = unit(ahead)
    first = unit(np.cross(ahead, np.asarray(up, F32) + F32(0.01)))
    second = np.cross(ahead, first)
    angle = np.arange(sides, dtype=F32) / sides * F32(2 * np.pi)
    normals = first[:, None] * np.cos(angle)[:, None] + second[:, None] * np.sin(angle)[:, None]
    reach = np.broadcast_to(np.asarray(radius, F32).reshape(-1, 1, 1), (len(points), 1, 1))
    faces = triangles_of(grid_quads(len(points), sides, closed, ring=True))
    return Surface((points[:, None] + normals * reach).reshape(-1, 3), faces, normals.reshape(-1, 3).astype(F32))


def sphere(centre: ArrayLike, radius: float, around: int = 32, down: int = 24) -> Surface:
    """A sphere of around x down vertices."""
    u = np.arange(around) / around * 2 * np.pi
    w = np.linspace(0, np.pi, down)
    a, b = np.meshgrid(u, w, indexing="ij")
    normals = np.stack([np.cos(a) * np.sin(b), np.sin(a) * np.sin(b), np.cos(b)], -1).reshape(-1, 3).astype(F32)
    faces = triangles_of(grid_quads(around, down, closed=True))
    return Surface(np.asarray(centre, F32) + F32(radius) * normals, faces, normals)


def sheet(grid: Floats, outwards: Floats | None = None) -> Surface:
    """The surface through a grid of points [R, C, 3]; normals turn to `outwards` [R, C, 3] where given."""
    rows, columns = grid.shape[:2]
    points = np.ascontiguousarray(grid.reshape(-1, 3), F32)
    faces = triangles_of(grid_quads(rows, columns))
    normals = vertex_normals(points, faces)
    if outwards is not None:
        facing = dot(normals, np.asarray(outwards, F32).reshape(-1, 3))
        normals = normals * np.where(facing < 0, F32(-1), F32(1))[:, None]
    return Surface(points, faces, normals)
