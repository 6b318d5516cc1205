"""Triangles of a surface: areas, normals, volume, connected pieces."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Surface(NamedTuple):
    """Triangles, faces outward (counter-clockwise seen from outside)."""

    vertices: np.ndarray
    """[V, 3] float32, world units."""
    faces: np.ndarray
    """[F, 3] int32."""


def largest_component(surface: Surface) -> Surface:
    """Keep the connected piece with the largest area (floaters and inner walls go)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    vertices, faces = surface
    edges = np.concatenate([faces[:, :2], faces[:, 1:]])
    count = len(vertices)
    graph = coo_matrix((np.ones(len(edges), dtype=np.int8), (edges[:, 0], edges[:, 1])), shape=(count, count))
    pieces, piece = connected_components(graph, directed=False)
    areas = np.bincount(piece[faces[:, 0]], weights=face_areas(surface), minlength=pieces)
    kept = piece == int(areas.argmax())
    new_index = np.cumsum(kept) - 1
    return Surface(vertices[kept], new_index[faces[kept[faces[:, 0]]]].astype(np.int32))


def face_areas(surface: Surface) -> np.ndarray:
    """Areas [F] of the triangles."""
    return np.linalg.norm(_face_normals(surface), axis=1) / 2


def vertex_normals(surface: Surface) -> np.ndarray:
    """Unit outward normals [V, 3] float32, faces weighted by their area."""
    normals = np.zeros(surface.vertices.shape, dtype=np.float64)
    of_faces = _face_normals(surface)
    for corner in range(3):
        for axis in range(3):
            normals[:, axis] += np.bincount(surface.faces[:, corner], of_faces[:, axis], minlength=len(normals))
    return (normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)).astype(np.float32)


def enclosed_volume(surface: Surface) -> float:
    """Signed volume in cubic world units: positive when faces look outward."""
    a, b, c = (surface.vertices[surface.faces[:, corner]].astype(np.float64) for corner in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


def _face_normals(surface: Surface) -> np.ndarray:
    a, b, c = (surface.vertices[surface.faces[:, corner]].astype(np.float64) for corner in range(3))
    return np.cross(b - a, c - a)
