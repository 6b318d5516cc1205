"""Views of coloured triangles: what a mesh looks like from a camera, with depth and mask.

Rays are traced by Intel's Embree. A mesh is shown as it is painted: no light, both sides of every triangle.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.camera import Camera
from toolkit.interfaces import Render

_FINE = 3
"""Rays per side of a pixel; odd, so that one of them goes through its centre."""
_EMPTY = -1


class ColouredTriangles(NamedTuple):
    """A mesh in the cameras' world."""

    vertices: np.ndarray
    """[V, 3] float32, world units."""
    faces: np.ndarray
    """[F, 3] int32."""
    colours: np.ndarray
    """[V, 3] float32 in [0, 1], sRGB."""


class TriangleScene:
    """A mesh that cameras can look at."""

    def __init__(self, mesh: ColouredTriangles) -> None:
        """Build the tree that rays search in."""
        from embreex import rtcore_scene
        from embreex.mesh_construction import TriangleMesh

        self._mesh = mesh
        self._scene = rtcore_scene.EmbreeScene()
        self._kept = TriangleMesh(
            self._scene, np.ascontiguousarray(mesh.vertices, np.float32), np.ascontiguousarray(mesh.faces, np.int32)
        )

    def render(self, camera: Camera, size: int, background: tuple[float, float, float]) -> Render:
        """Look at the mesh.

        Args:
            camera: One camera.
            size: Side of the picture in pixels.
            background: Colour in [-1, 1] of what no triangle covers.

        Returns:
            `image` and `raw` are the same; the mask is the covered share of a pixel, and depth, 0 where the pixel's
            centre meets nothing, the distance along the unit ray.
        """
        side = size * _FINE
        _, directions = camera.rays(side)
        rays = directions[0].float().cpu().numpy()
        origins = np.broadcast_to(camera.position.float().cpu().numpy(), rays.shape)
        found = self._scene.run(np.ascontiguousarray(origins), np.ascontiguousarray(rays), query="INTERSECT", output=1)
        hit = found["primID"] != _EMPTY
        colours = np.broadcast_to(np.asarray(background, np.float32), rays.shape).copy()
        colours[hit] = self._colours(found, hit) * 2 - 1
        image = F.avg_pool2d(_as_picture(colours, side), _FINE)
        mask = F.avg_pool2d(_as_picture(hit[:, None].astype(np.float32), side), _FINE)
        distance = np.where(hit, found["tfar"], 0).astype(np.float32)[:, None]
        depth = _as_picture(distance, side)[..., _FINE // 2 :: _FINE, _FINE // 2 :: _FINE]
        return Render(image=image, raw=image, depth=depth.contiguous(), mask=mask)

    def _colours(self, found: dict[str, np.ndarray], hit: np.ndarray) -> np.ndarray:
        """Colours [H, 3] at H hits, between those of the triangle's corners."""
        u, v = found["u"][hit, None], found["v"][hit, None]
        corners = self._mesh.colours[self._mesh.faces[found["primID"][hit]]]
        shares = np.stack([1 - u - v, u, v], axis=1)
        return np.clip((corners * shares).sum(axis=1), 0, 1)


def _as_picture(values: np.ndarray, side: int) -> Tensor:
    """[side * side, C], row by row, as [1, C, side, side]."""
    return torch.from_numpy(values).reshape(side, side, -1).permute(2, 0, 1)[None].contiguous()
