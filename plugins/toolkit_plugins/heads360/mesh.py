"""A head as a triangle mesh with vertex colours."""

from __future__ import annotations

import numpy as np
import torch
import trimesh
from skimage.measure import marching_cubes
from torch import Tensor

from toolkit.errors import InputError
from toolkit_plugins.heads360.head import Head
from toolkit_plugins.heads360.solids import Points
from toolkit_plugins.heads360.tracing import CHUNK, FLOOR

BOX = ((-0.40, FLOOR - 0.02, -0.40), (0.40, 0.38, 0.40))
"""Corners of the meshed space; the shoulders are closed flat at the floor."""


@torch.no_grad()
def head_mesh(head: Head, resolution: int = 128) -> trimesh.Trimesh:
    """Mesh a head by marching cubes, in world units.

    Args:
        head: The head.
        resolution: Grid points along each axis.

    Returns:
        A closed mesh; vertex colours are the lit colours that pictures show.

    Raises:
        InputError: `resolution` is not in 8..512.
    """
    if not 8 <= resolution <= 512:
        raise InputError(f"resolution must be 8..512 grid points, got {resolution}")
    low, high = BOX
    axes = [torch.linspace(a, b, resolution) for a, b in zip(low, high, strict=True)]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
    distance = torch.cat([_closed_distance(head, chunk) for chunk in grid.split(CHUNK)])
    spacing = tuple((b - a) / (resolution - 1) for a, b in zip(low, high, strict=True))
    volume = distance.reshape(resolution, resolution, resolution).numpy()
    vertices, faces, _, _ = marching_cubes(volume, level=0.0, spacing=spacing, gradient_direction="descent")
    vertices = vertices + np.asarray(low)
    points = torch.from_numpy(vertices.astype(np.float32))
    shades = torch.cat([head.shade(Points.of(chunk)) for chunk in points.split(CHUNK)], dim=1)
    colours = ((shades.t() + 1) * 127.5).round().to(torch.uint8).numpy()
    return trimesh.Trimesh(vertices, faces, vertex_colors=colours, process=False)


def _closed_distance(head: Head, points: Tensor) -> Tensor:
    return torch.maximum(head.distance(Points.of(points)), FLOOR - points[:, 1])
