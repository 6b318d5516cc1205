"""Cutting a mesh along a line."""

from __future__ import annotations

import numpy as np

from toolkit_plugins.heads360.clothing.cutting import cut
from toolkit_plugins.heads360.geometry import grid_quads, triangles_of


def test_a_cut_keeps_exactly_the_positive_part():
    x, y = np.meshgrid(np.linspace(0, 1, 6), np.linspace(0, 1, 6), indexing="ij")
    points = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1).astype(np.float32)
    faces = triangles_of(grid_quads(6, 6))
    values = (points[:, 0] + 0.5 * points[:, 1] - 0.43).astype(np.float32)
    divided = cut(faces, values)
    moved = divided.mixing @ points
    a, b, c = (moved[divided.faces[:, corner]] for corner in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    assert np.isclose(area, 1 - 0.43 * 0.86 / 2, atol=1e-5)
    assert np.abs((divided.mixing @ values)[divided.edge]).max() < 1e-5
    assert (np.cross(b - a, c - a)[:, 2] >= -1e-7).all() == (np.cross(*(points[faces[0, k]] - points[faces[0, 0]]
                                                                     for k in (1, 2)))[2] > 0)  # fmt: skip
