"""A head as a triangle mesh with vertex colours."""

from __future__ import annotations

import numpy as np
import trimesh

from toolkit_plugins.heads360.geometry import F32
from toolkit_plugins.heads360.head import Head
from toolkit_plugins.heads360.light import tone_mapped
from toolkit_plugins.heads360.parts import STRANDS, one_of
from toolkit_plugins.heads360.shading.samples import Samples
from toolkit_plugins.heads360.shaping import UNIT
from toolkit_plugins.heads360.tracing import CHUNK, shade


def head_mesh(head: Head, strands: bool = True) -> trimesh.Trimesh:
    """The triangles themselves, in world units.

    Args:
        head: The head.
        strands: Whether hair, brows, beard and lashes are in it; they are most of the triangles.

    Returns:
        A mesh whose vertex colours are what a viewer straight before each vertex sees, without the lamp's shadows.
    """
    solid = head.solid
    is_strand = one_of(solid.kinds, STRANDS)
    faces = solid.faces if strands else solid.faces[~is_strand]
    used, first = np.unique(faces, return_index=True)
    number = np.zeros(len(solid.points), np.int64)
    number[used] = np.arange(len(used))
    owner = np.repeat(solid.kinds if strands else solid.kinds[~is_strand], 3)[first]
    colours = np.empty((len(used), 3), np.uint8)
    for start in range(0, len(used), CHUNK):
        part = slice(start, start + CHUNK)
        at = used[part]
        weights = np.tile(np.array([1, 0, 0], F32), (len(at), 1))
        corners = np.repeat(at[:, None], 3, 1).astype(np.int32)
        samples = Samples(owner[part], corners, weights, solid.points[at], solid.normals[at], solid.places[at],
                          solid.extra[at], solid.normals[at], np.ones(len(at), F32))  # fmt: skip
        radiance, _ = shade(head, samples)
        colours[part] = np.round(tone_mapped(radiance, head.details.light) * 255)
    return trimesh.Trimesh(solid.points[used] / UNIT, number[faces], vertex_colors=colours, process=False)
