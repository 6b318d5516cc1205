"""Rays against triangles, by Intel's Embree."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh
from numpy.typing import NDArray

from toolkit_plugins.heads360.embree import Found, SharedTriangles, can_share
from toolkit_plugins.heads360.geometry import F32, Floats


class Hits(NamedTuple):
    """Where R rays meet triangles first."""

    triangle: NDArray[np.int32]
    """[R], -1 where nothing is met."""
    u: Floats
    """[R], weight of the triangle's second corner."""
    v: Floats
    """[R], weight of its third."""
    distance: Floats
    """[R]."""

    def take(self, chosen: NDArray[np.integer]) -> Hits:
        """Some of the rays' hits."""
        u, v, distance = (values.take(chosen) for values in (self.u, self.v, self.distance))
        return Hits(self.triangle.take(chosen), u, v, distance)


class Scene:
    """Triangles that rays can be shot at; never changes."""

    def __init__(self, points: Floats, faces: NDArray[np.integer]) -> None:
        """Build the tree over triangles [T, 3] of points [V, 3]."""
        self._triangles = SharedTriangles(points, faces) if can_share() else CopiedTriangles(points, faces)

    def hits(self, origins: Floats, directions: Floats) -> Hits:
        """First hits of rays [R, 3], [R, 3] (unit)."""
        return Hits(*self._triangles.hits(origins, directions))

    def blocked(self, origins: Floats, directions: Floats) -> NDArray[np.bool_]:
        """Whether rays [R, 3], [R, 3] meet anything."""
        return self._triangles.blocked(origins, directions)


class CopiedTriangles:
    """The slow twin of `SharedTriangles`: embreex's own scene, where Embree's functions cannot be found."""

    def __init__(self, points: Floats, faces: NDArray[np.integer]) -> None:
        """Build the tree over triangles [T, 3] of points [V, 3]."""
        own = np.zeros(len(points), bool)
        own[faces] = True  # every point costs time, used or not
        renumbered = np.cumsum(own, dtype=np.int32) - 1
        self._scene = rtcore_scene.EmbreeScene()
        self._mesh = TriangleMesh(self._scene, np.ascontiguousarray(points[own], F32), renumbered[faces])

    def hits(self, origins: Floats, directions: Floats) -> Found:
        """First hits of rays [R, 3], [R, 3] (unit); triangle -1 where there is none."""
        found = self._scene.run(
            np.ascontiguousarray(origins, F32), np.ascontiguousarray(directions, F32), query="INTERSECT", output=1
        )
        return found["primID"], found["u"], found["v"], found["tfar"]

    def blocked(self, origins: Floats, directions: Floats) -> NDArray[np.bool_]:
        """Whether rays [R, 3], [R, 3] meet anything."""
        found = self._scene.run(
            np.ascontiguousarray(origins, F32), np.ascontiguousarray(directions, F32), query="OCCLUDED"
        )
        return np.asarray(found >= 0)
