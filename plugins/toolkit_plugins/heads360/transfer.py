"""How much of the surroundings each vertex and each tuft of hair sees: computed once per head, for any light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from toolkit_plugins.heads360.geometry import F32, Floats, Ints
from toolkit_plugins.heads360.hair.scalp import Scalp
from toolkit_plugins.heads360.light import DIRECTIONS, SPHERE, Light
from toolkit_plugins.heads360.scene import Scene

_VOXEL = 0.09
_LOW = np.array([-2.0, -2.0, -2.0], F32)
_SHAPE = np.array([45, 45, 45])
_STRIDE = F32(0.11)
"""Between two looks along a ray, decimetres."""
_BLOCK = 16384
"""Rays followed at a time: what a processor's cache likes."""
WRAPS = (0.30, 0.12, 0.05)
"""How far light bleeds round skin in red, green, blue."""


class HairFog:
    """Hair as a density in voxels, for the shadow it casts on skin and on itself."""

    def __init__(self, bunches: list[Floats]) -> None:
        """Gather strands [N, K, 3]."""
        points = np.concatenate([bunch.reshape(-1, 3) for bunch in bunches])
        steps = [np.linalg.norm(np.diff(bunch, axis=1), axis=-1).mean() for bunch in bunches]
        weight = np.repeat([step * 0.016 / _VOXEL**3 for step in steps], [bunch[..., 0].size for bunch in bunches])
        size = int(np.prod(_SHAPE))
        voxel = np.clip(((points - _LOW) / _VOXEL).astype(np.int64), 0, _SHAPE - 1)
        flat = np.ravel_multi_index(tuple(voxel.T), tuple(_SHAPE))
        count = np.bincount(flat, minlength=size)
        self.filled: Ints = np.nonzero(count)[0]
        sums = [np.bincount(flat, points[:, axis], size)[self.filled] / count[self.filled] for axis in range(3)]
        self.middles = np.stack(sums, 1).astype(F32)
        density = np.bincount(flat, weight, size).reshape(tuple(_SHAPE))
        self.density = ndimage.gaussian_filter(density, 0.6).astype(F32).ravel()

    def clearness(self, origins: Floats, directions: Floats, steps: int, thickness: float) -> Floats:
        """Share of light [R] that comes through along rays [R, 3]."""
        rays = range(0, len(origins), _BLOCK)
        return np.concatenate(
            [self._clearness(origins[at : at + _BLOCK], directions[at : at + _BLOCK], steps, thickness) for at in rays]
            or [np.ones(0, F32)]
        )

    def _clearness(self, origins: Floats, directions: Floats, steps: int, thickness: float) -> Floats:
        place = np.ascontiguousarray(((origins - _LOW) / F32(_VOXEL)).T)
        move = np.ascontiguousarray((directions * (_STRIDE / F32(_VOXEL))).T)
        total = np.zeros(len(origins), F32)
        for step in range(steps):
            index = 0
            for axis, size in enumerate(_SHAPE):
                voxel = place[axis] + move[axis] * F32(step + 0.9)
                np.clip(voxel, F32(0), F32(size - 1), out=voxel)
                index = index * np.int32(size) + voxel.astype(np.int32)
            total += self.density.take(index)
        return np.asarray(np.exp(-F32(thickness) * _STRIDE * total))


class HairLight:
    """Light inside hair, smooth between voxels."""

    def __init__(self, fog: HairFog, visible: Floats, light: Light) -> None:
        """Light the filled voxels, which see a share [filled, DIRECTIONS] of each direction."""
        lamp = np.exp(14 * (SPHERE @ light.lamp_direction - 1))
        values = np.c_[visible @ light.environment(), visible @ (lamp / lamp.sum()), np.ones(len(visible))]
        grids = np.zeros((int(np.prod(_SHAPE)), 5), F32)
        grids[fog.filled] = values
        self._grids = grids

    def at(self, points: Floats) -> tuple[Floats, Floats]:
        """Ambient irradiance [N, 3] and share of the lamp [N] at points [N, 3]."""
        place = (points - _LOW) / F32(_VOXEL) - F32(0.5)
        place = np.clip(place, 0, (_SHAPE - 2).astype(F32))
        corner = place.astype(np.int64)
        part = (place - corner).astype(F32)
        first = (corner[:, 0] * int(_SHAPE[1]) + corner[:, 1]) * int(_SHAPE[2]) + corner[:, 2]
        total = np.zeros((len(points), 5), F32)
        for dx in (0, 1):
            for dy in (0, 1):
                for dz in (0, 1):
                    step = (dx * int(_SHAPE[1]) + dy) * int(_SHAPE[2]) + dz
                    weight = np.ones(len(points), F32)
                    for axis, near in enumerate((dx, dy, dz)):
                        weight *= part[:, axis] if near else 1 - part[:, axis]
                    total += weight[:, None] * self._grids.take(first + step, 0)
        known = np.maximum(total[:, 4], F32(0.05))
        return total[:, :3] / known[:, None], total[:, 3] / known


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
    visible = np.zeros((len(points), DIRECTIONS), F32)
    row, column = np.nonzero(cosine > -0.30)
    origins, directions = points[row], SPHERE[column]
    seen = (~blockers.blocked(origins, directions)).astype(F32)
    if fog is not None:
        open_rays = np.nonzero(seen)[0]
        seen[open_rays] = fog.clearness(origins[open_rays], directions[open_rays], 11, 0.35)
    visible[row, column] = seen
    return Transfer(visible, cosine.astype(F32))


def hair_visibility(fog: HairFog, scalp: Scalp, blockers: Scene) -> Floats:
    """Share [filled, DIRECTIONS] of each direction that the hair's voxels see.

    Their middles are moved out of the skull first, or black streaks appear.
    """
    moved, _ = scalp.pushed_out(fog.middles, 0.035)
    origins = np.repeat(moved.astype(F32), DIRECTIONS, 0)
    directions = np.tile(SPHERE, (len(moved), 1))
    seen = fog.clearness(origins, directions, 9, 0.5)
    clear = np.nonzero(seen > 0.05)[0]
    seen[clear] *= ~blockers.blocked(origins[clear], directions[clear])
    return seen.reshape(-1, DIRECTIONS)
