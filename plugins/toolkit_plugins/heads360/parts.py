"""The triangles of a head, gathered from its parts, with what shading needs of each vertex."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from toolkit_plugins.heads360.geometry import F32, Floats, Ints, Mask, Surface


class Kind(IntEnum):
    """What a triangle is made of."""

    SKIN = 0
    EYE = 1
    TEETH = 2
    TONGUE = 3
    CLOTH = 4
    HAIR = 5
    BROW = 6
    BEARD = 7
    LASH = 8
    FRAME = 9
    HAT = 10
    METAL = 11
    SCARF = 12


STRANDS = (Kind.HAIR, Kind.BROW, Kind.BEARD, Kind.LASH)


def one_of(kinds: NDArray[np.uint8], wanted: Sequence[Kind]) -> Mask:
    """Which of some kinds [N] are wanted."""
    table = np.zeros(len(Kind), bool)
    table[list(wanted)] = True
    return np.asarray(table.take(kinds))


@dataclass(frozen=True)
class Solid:
    """All triangles of a head."""

    points: Floats
    """[V, 3] decimetres."""
    features: Floats
    """[V, 8]: normals, places and extra side by side, which is how a shaded point reads them from memory once."""
    faces: NDArray[np.int32]
    """[T, 3]."""
    kinds: NDArray[np.uint8]
    """[T], see `Kind`."""

    @property
    def normals(self) -> Floats:
        """[V, 3]; of strands: away from the hair's inside."""
        return self.features[:, :3]

    @property
    def places(self) -> Floats:
        """[V, 3]: template coordinates; of strands the tangent; of eyes the direction from their middle."""
        return self.features[:, 3:6]

    @property
    def extra(self) -> Floats:
        """[V, 2]: of strands place along (0 root, 1 tip) and a random number; of cloth see `clothing`."""
        return self.features[:, 6:]


class Parts:
    """Collects the meshes of a person's parts and joins them to one."""

    def __init__(self) -> None:
        self._vertices: list[tuple[Floats, Floats, Floats, Floats]] = []
        self._faces: list[Ints] = []
        self._kinds: list[NDArray[np.uint8]] = []
        self.count = 0

    def add(
        self, surface: Surface, kind: Kind, places: Floats | None = None, extra: Floats | None = None
    ) -> slice:  # fmt: skip
        """Add a surface; returns where its vertices stand."""
        points = surface.points
        where = slice(self.count, self.count + len(points))
        places = points if places is None else places
        extra = np.zeros((len(points), 2), F32) if extra is None else extra
        self._vertices.append((points, surface.normals, places, extra))
        self.add_faces(surface.faces + self.count, kind)
        self.count += len(points)
        return where

    def add_faces(self, faces: Ints, kind: Kind) -> None:
        """Add triangles between vertices that stand already."""
        self._faces.append(faces)
        self._kinds.append(np.full(len(faces), kind, np.uint8))

    def solid(self) -> Solid:
        """Everything that was added."""
        features = np.concatenate([np.concatenate(vertices[1:], 1) for vertices in self._vertices])
        points = np.concatenate([vertices[0] for vertices in self._vertices])
        faces = np.concatenate(self._faces).astype(np.int32)
        return Solid(
            points.astype(F32, copy=False), features.astype(F32, copy=False), faces, np.concatenate(self._kinds)
        )
