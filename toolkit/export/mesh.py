"""A head as a coloured mesh: the density's surface, painted with rendered views."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit.export.gallery import Gallery
from toolkit.export.surface import extract_surface
from toolkit.export.triangles import vertex_normals
from toolkit.interfaces import Render
from toolkit.rendering.views import OnView, around

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, GeneratorSpec
    from toolkit.inversion import Inversion

METRES_PER_UNIT = 0.5
"""Scale of exported meshes: in PanoHead's world it makes a head about 0.25 m high."""
_RING = 9
_RING_PITCHES = (-20.0, 25.0)
"""Degrees above the orbit's own pitch. The viewer (`toolkit.export.turntable`) shows these views, too."""
_TOP_PITCH = 75.0
_TOLERANCE = 0.03
"""How far behind the rendered depth a vertex may lie and still be seen, in sides of the box."""
_OPAQUE = 0.5
"""Least opacity of a pixel that paints: below it the background shines through."""
_GREY = 0.5
_ENOUGH = 0.05
"""Summed weight from which a vertex has a colour of its own; below it only grazing rays meet it."""
_NEIGHBOURS = 12
"""Seen vertices that an unseen one takes its colour from."""


class Mesh(NamedTuple):
    """A coloured surface; y up, the face looks to +z, faces outward."""

    vertices: np.ndarray
    """[V, 3] float32, metres."""
    faces: np.ndarray
    """[F, 3] int32, counter-clockwise seen from outside."""
    normals: np.ndarray
    """[V, 3] float32, unit."""
    colours: np.ndarray
    """[V, 3] float32 in [0, 1], sRGB."""


def extract_mesh(
    generator: Generator,
    planes: Tensor,
    ws: Tensor | None = None,
    resolution: int = 128,
    level: float | None = None,
    scale: float = METRES_PER_UNIT,
    on_view: OnView | None = None,
    on_chunk: OnView | None = None,
    gallery: Gallery | None = None,
) -> Mesh:
    """Turn planes into a mesh with a colour per vertex.

    Args:
        generator: What reads and renders the planes (for an inversion its `tuned_generator`).
        planes: [1, *spec.planes_shape].
        ws: [1, num_ws, w_dim], needed for colours; None leaves the mesh grey.
        resolution: Grid cells along the box's side.
        level: Raw density of the surface; None takes `spec.surface_level`.
        scale: Metres per world unit.
        on_view: Told how many of the views that paint it are rendered.
        on_chunk: Told how much of the density is read (see `extract_surface`).
        gallery: Of this head; None makes one.

    Raises:
        InputError: Resolution or scale out of range, several heads, or a density that never crosses the level.
        MissingDependencyError: scikit-image is not installed.
    """
    if not (math.isfinite(scale) and scale > 0):
        raise InputError(f"a mesh's scale must be a positive number of metres per unit, got {scale:g}")
    surface = extract_surface(generator, planes, resolution, level, on_chunk)
    normals = vertex_normals(surface)
    if ws is None:
        colours = np.full(surface.vertices.shape, _GREY, dtype=np.float32)
    else:
        gallery = gallery or Gallery(generator, planes, ws)
        colours = vertex_colours(gallery, generator.spec, surface.vertices, normals, on_view)
    return Mesh(surface.vertices * np.float32(scale), surface.faces, normals, colours)


def inversion_mesh(
    inversion: Inversion,
    generator: Generator,
    resolution: int = 128,
    scale: float = METRES_PER_UNIT,
    on_view: OnView | None = None,
    on_chunk: OnView | None = None,
    gallery: Gallery | None = None,
) -> Mesh:
    """`extract_mesh` of an inversion, with its tuned generator where there is one."""
    shown = inversion.tuned_generator(generator)
    return extract_mesh(shown, inversion.planes, inversion.ws, resolution, None, scale, on_view, on_chunk, gallery)


def painting_cameras(spec: GeneratorSpec) -> Camera:
    """Eighteen cameras around, from slightly below and slightly above, and one over the top."""
    yaws, level = torch.arange(_RING) * (2 * math.pi / _RING), spec.orbit.pitch
    rings = [
        around(spec, yaws + index * math.pi / _RING, level + math.radians(pitch))
        for index, pitch in enumerate(_RING_PITCHES)
    ]
    top = around(spec, torch.zeros(1), math.radians(_TOP_PITCH))
    return Camera(torch.cat([ring.label for ring in rings] + [top.label]))


def vertex_colours(
    gallery: Gallery,
    spec: GeneratorSpec,
    vertices: np.ndarray,
    normals: np.ndarray,
    on_view: OnView | None = None,
) -> np.ndarray:
    """Paint vertices with what rendered views show there.

    A view counts by the squared cosine between its ray and the normal, where the vertex is not behind the rendered
    depth; a vertex that no view sees takes the colours of the nearest ones that are seen.

    Args:
        gallery: Of the head.
        spec: Its generator's.
        vertices: [V, 3], world units.
        normals: [V, 3], unit.
        on_view: Told how many views are rendered.

    Returns:
        [V, 3] float32 in [0, 1].
    """
    cameras = painting_cameras(spec)
    points, outward = torch.from_numpy(vertices), torch.from_numpy(normals)
    colour, weight = torch.zeros(len(points), 3), torch.zeros(len(points), 1)
    for index, view in enumerate(gallery.renders(cameras, on_view)):
        seen = Render(*(tensor.float() for tensor in view))
        shade, counts = _look(seen, cameras[index], points, outward, _TOLERANCE * spec.box)
        colour += counts * shade
        weight += counts
    known = (weight[:, 0] > _ENOUGH).numpy()
    painted = (colour / weight.clamp(min=_ENOUGH)).clamp(-1, 1).numpy() * 0.5 + 0.5
    return _fill_from_nearest(painted.astype(np.float32), vertices, known)


def _look(seen: Render, camera: Camera, points: Tensor, outward: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    """What one view shows at the points: colours [V, 3] in [-1, 1] and weights [V, 1]."""
    grid = (2 * camera.project(points) - 1)[:, None]
    rays = points - camera.position
    distance = rays.norm(dim=1, keepdim=True)
    facing = -(rays / distance * outward).sum(1, keepdim=True)

    def read(picture: Tensor) -> Tensor:
        return F.grid_sample(picture, grid, align_corners=False, padding_mode="border")[0, :, 0].T

    # The least of a pixel's neighbourhood: what is interpolated across a silhouette is a surface that does not exist.
    depth, mask = (-F.max_pool2d(-picture, 3, stride=1, padding=1) for picture in (seen.depth, seen.mask))
    in_picture = (grid[0, 0].abs() < 1).all(dim=1, keepdim=True)
    visible = in_picture & (read(mask) > _OPAQUE) & (distance < read(depth) + tolerance)
    return read(seen.image), facing.clamp(min=0).square() * visible


def _fill_from_nearest(colours: np.ndarray, vertices: np.ndarray, known: np.ndarray) -> np.ndarray:
    if known.all():
        return colours
    if not known.any():
        return np.full_like(colours, _GREY)
    from scipy.spatial import cKDTree

    count = min(_NEIGHBOURS, int(known.sum()))
    distances, nearest = cKDTree(vertices[known]).query(vertices[~known], k=[*range(1, count + 1)])
    weights = 1 / np.maximum(distances, 1e-6)
    weights /= weights.sum(axis=1, keepdims=True)
    colours[~known] = (weights[..., None] * colours[known][nearest]).sum(axis=1)
    return colours
