"""How much of the surroundings each vertex and each tuft of hair sees: computed once per head, for any light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from toolkit_plugins.heads360.compiled.fog import LOW, SIDE, VOXEL, clearness
from toolkit_plugins.heads360.geometry import F32, Floats, Ints
from toolkit_plugins.heads360.hair.scalp import Scalp
from toolkit_plugins.heads360.light import DIRECTIONS, SPHERE, Light
from toolkit_plugins.heads360.scene import Scene

_SHAPE = (SIDE, SIDE, SIDE)
WRAPS = (0.30, 0.12, 0.05)
"""How far light bleeds round skin in red, green, blue."""


class HairFog:
    """Hair as a density in voxels, for the shadow it casts on skin and on itself."""

    def __init__(self, bunches: list[Floats]) -> None:
        """Gather strands [N, K, 3]."""
        points = np.concatenate([bunch.reshape(-1, 3) for bunch in bunches])
        steps = [np.linalg.norm(np.diff(bunch, axis=1), axis=-1).mean() for bunch in bunches]
        weight = np.repeat([step * 0.016 / VOXEL**3 for step in steps], [bunch[..., 0].size for bunch in bunches])
        size = SIDE**3
        voxel = np.clip(((points - F32(LOW)) / VOXEL).astype(np.int64), 0, SIDE - 1)
        flat = np.ravel_multi_index(tuple(voxel.T), _SHAPE)
        count = np.bincount(flat, minlength=size)
        self.filled: Ints = np.nonzero(count)[0]
        sums = [np.bincount(flat, points[:, axis], size)[self.filled] / count[self.filled] for axis in range(3)]
        self.middles = np.stack(sums, 1).astype(F32)
        density = np.bincount(flat, weight, size).reshape(_SHAPE)
        self.density = ndimage.gaussian_filter(density, 0.6).astype(F32).ravel()


class HairLight:
    """Light inside hair, smooth between voxels."""

    def __init__(self, fog: HairFog, visible: Floats, light: Light) -> None:
        """Light the filled voxels, which see a share [filled, DIRECTIONS] of each direction."""
        lamp = np.exp(14 * (SPHERE @ light.lamp_direction - 1))
        values = np.c_[visible @ light.environment(), visible @ (lamp / lamp.sum()), np.ones(len(visible))]
        self.grids = np.zeros((SIDE**3, 5), F32)
        """[SIDE^3, 5]: ambient irradiance, share of the lamp, and 1 where a voxel is filled."""
        self.grids[fog.filled] = values


@dataclass(frozen=True)
class Transfer:
    """What N vertices see."""

    visible: Floats
    """[N, DIRECTIONS] in 0..1."""
    cosine: Floats
    """[N, DIRECTIONS]."""

    def irradiance(self, light: Light) -> Floats:
        """[N, 3] / pi, wrapped as in skin, without the lamp."""
        environment = light.environment()
        channels = []
        for channel, wrap in enumerate(WRAPS):
            facing = np.clip((self.cosine + F32(wrap)) / F32(1 + wrap), 0, 1)
            channels.append((self.visible * facing) @ environment[:, channel])
        return np.stack(channels, 1).astype(F32) / F32(np.pi)

    def openness(self) -> Floats:
        """Share of the half space [N] that is not blocked, weighted by the cosine."""
        facing = np.clip(self.cosine, 0, 1)
        return np.asarray((self.visible * facing).sum(1) / np.maximum(facing.sum(1), 1e-6), F32)


def surface_transfer(points: Floats, normals: Floats, blockers: Scene, fog: HairFog | None) -> Transfer:
    """What vertices [N, 3] see, from a little above the surface."""
    cosine = normals @ SPHERE.T
    row, column = np.nonzero(cosine > -0.30)
    seen = (~blockers.blocked(points[row], SPHERE[column])).astype(F32)
    if fog is not None:
        clearness(fog.density, points, SPHERE, row, column, 11, 0.35, seen)
    visible = np.zeros((len(points), DIRECTIONS), F32)
    visible[row, column] = seen
    return Transfer(visible, cosine.astype(F32))


def hair_visibility(fog: HairFog, scalp: Scalp, blockers: Scene) -> Floats:
    """Share [filled, DIRECTIONS] of each direction that the hair's voxels see.

    Their middles are moved out of the skull first, or black streaks appear.
    """
    moved = scalp.pushed_out(fog.middles, 0.035)[0].astype(F32)
    row, column = (index.ravel() for index in np.indices((len(moved), DIRECTIONS)))
    seen = np.ones(len(row), F32)
    clearness(fog.density, moved, SPHERE, row, column, 9, 0.5, seen)
    clear = np.nonzero(seen > 0.05)[0]
    seen[clear] *= ~blockers.blocked(moved[row[clear]], SPHERE[column[clear]])
    return seen.reshape(-1, DIRECTIONS)
