"""The shapes that heads are mixed from: base mesh, targets, masks (MakeHuman, CC0), read from `assets/anatomy.npz`.

Template coordinates are decimetres, y up, the face looks to +z: crown at 8.4, eyes at 7.25, chin at 6.2. Masks and
noise are looked up in these coordinates, so that they follow a face however it is shaped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from toolkit_plugins.heads360.geometry import Floats, Ints, triangles_of

FILE = Path(__file__).with_name("assets") / "anatomy.npz"


@dataclass(frozen=True)
class Anatomy:
    """The shapes and masks of MakeHuman's mesh, as `anatomy.npz` holds them."""

    template: Floats
    """[V, 3] decimetres."""
    quads: Ints
    """[Q, 4]."""
    owner: Ints
    """[Q], index into `groups`."""
    groups: tuple[str, ...]
    target_names: tuple[str, ...]
    targets: sparse.csr_matrix
    """[targets, V * 3]."""
    masks: Mapping[str, Floats]
    """[V] in 0..1: lips, eyelids, ears, face, inside-mouth."""
    weights: Mapping[str, Floats]
    """[V] in 0..1: left arm, right arm, head, neck."""
    shape_names: tuple[str, ...]
    shape_basis: Floats
    """[changes, components]."""
    about: Mapping[str, str]
    """Source and licence."""

    def group(self, *names: str) -> Ints:
        """Quads [N, 4] of some groups."""
        return self.quads[np.isin(self.owner, [self.groups.index(name) for name in names])]

    def vertices_of(self, *names: str) -> Ints:
        """Numbers of the vertices of some groups."""
        return np.unique(self.group(*names))

    @cached_property
    def target_index(self) -> Mapping[str, int]:
        """Row of `targets` by name."""
        return {name: row for row, name in enumerate(self.target_names)}

    @cached_property
    def body(self) -> Ints:
        """Triangles [T, 3] of the skin."""
        return triangles_of(self.group("body"))

    @cached_property
    def body_vertices(self) -> Ints:
        """Numbers of the vertices of the skin."""
        return self.vertices_of("body")

    @cached_property
    def is_body(self) -> NDArray[np.bool_]:
        """[V], whether a vertex belongs to the skin."""
        return np.isin(np.arange(len(self.template)), self.body_vertices)

    @cached_property
    def is_ear(self) -> NDArray[np.bool_]:
        """[V], whether a vertex belongs to an outer ear."""
        x, y, z = self.template.T
        near = (np.abs(x) > 0.69) & (y > 6.75) & (y < 7.42) & (z > 0.2) & (z < 0.75)
        return near & (self.masks["ears"] > 0.1)

    @cached_property
    def smoothing(self) -> sparse.csr_matrix:
        """[V, V], the mean over the neighbours on the skin."""
        quads, count = self.group("body"), len(self.template)
        edges = np.concatenate([quads[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))])
        edges = edges[edges[:, 0] != edges[:, 1]]
        ones = np.ones(2 * len(edges), np.float32)
        ends = (np.r_[edges[:, 0], edges[:, 1]], np.r_[edges[:, 1], edges[:, 0]])
        links = sparse.coo_matrix((ones, ends), (count, count)).tocsr()
        links.data[:] = 1
        return (sparse.diags(1 / np.maximum(np.asarray(links.sum(1)).ravel(), 1)) @ links).astype(np.float32).tocsr()


@cache
def anatomy() -> Anatomy:
    """The anatomy; read once per process."""
    with np.load(FILE, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    record = json.loads(arrays["record"].tobytes())
    starts = arrays["target starts"].astype(np.int64)
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    columns = 3 * arrays["target vertices"].astype(np.int64)[:, None] + np.arange(3)
    values = arrays["target offsets"].astype(np.float32)
    shape = (len(starts) - 1, 3 * len(arrays["template"]))
    targets = sparse.csr_matrix((values.ravel(), (np.repeat(rows, 3), columns.ravel())), shape=shape)
    return Anatomy(
        template=arrays["template"],
        quads=arrays["quads"].astype(np.int64),
        owner=arrays["owner"].astype(np.int64),
        groups=tuple(record["groups"]),
        target_names=tuple(record["targets"]),
        targets=targets,
        masks={key[5:]: values / np.float32(255) for key, values in arrays.items() if key.startswith("mask ")},
        weights={key[7:]: value.astype(np.float32) for key, value in arrays.items() if key.startswith("weight ")},
        shape_names=tuple(record["shape names"]),
        shape_basis=arrays["shape basis"].astype(np.float32),
        about=record["about"],
    )
