"""Smooth noise in space, looked up in a periodic block: one gather instead of eight hashes and their mixing.

Blocks are value noise (a random number at every corner of a unit lattice, smoothly interpolated), made once per
process. A lookup takes the nearest of `STEPS` samples per unit, which is finer than a sample of a picture wherever
the frequency is high; `smooth_noise` interpolates and is meant for vertices.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from toolkit_plugins.heads360.geometry import F32, Floats

PERIOD, STEPS = 16, 8
_SIDE = PERIOD * STEPS


def noise(points: Floats, frequency: ArrayLike = 1.0, shift: float = 0.0) -> Floats:
    """Value noise [...] in -1..1 at points [..., 3]; `frequency` is a number or three, lattice units per unit."""
    scale = np.broadcast_to(np.asarray(frequency, F32), (3,)) * STEPS
    x, y, z = (
        np.floor(points[..., axis] * scale[axis] + F32(shift * 7.31 * (axis + 1) + 0.5)).astype(np.int32) & (_SIDE - 1)
        for axis in range(3)
    )
    return np.asarray(_block().ravel().take((x * _SIDE + y) * _SIDE + z))


def smooth_noise(points: Floats, frequency: ArrayLike = 1.0, shift: float = 0.0) -> Floats:
    """Value noise [...] in -1..1 at points [..., 3], interpolated at the point itself: the slow, exact twin."""
    place = points * np.asarray(frequency, F32) + shift * 7.31 / STEPS * np.arange(1, 4)
    corner = np.floor(place).astype(np.int64)
    part = (place - corner).astype(F32)
    part = part * part * (3 - 2 * part)
    total = np.zeros(points.shape[:-1], F32)
    for dx in (0, 1):
        for dy in (0, 1):
            for dz in (0, 1):
                at = (corner + np.array([dx, dy, dz])) % PERIOD
                weight = np.ones_like(total)
                for axis, near in enumerate((dx, dy, dz)):
                    weight *= part[..., axis] if near else 1 - part[..., axis]
                total += weight * _lattice()[at[..., 0], at[..., 1], at[..., 2]]
    return total


def fractal(points: Floats, octaves: int = 3, frequency: ArrayLike = 1.0, shift: float = 0.0) -> Floats:
    """A sum of `smooth_noise` of doubling frequency and halving height [...]."""
    base = np.asarray(frequency, F32)
    layers = [smooth_noise(points, base * 2.03**k, shift + 2.3 * k) * F32(0.5**k) for k in range(octaves)]
    return np.asarray(sum(layers), F32)


@cache
def _lattice() -> Floats:
    return np.random.default_rng(7).uniform(-1, 1, (PERIOD,) * 3).astype(F32)


@cache
def _block() -> Floats:
    block = _lattice()
    part = np.arange(STEPS, dtype=F32) / STEPS
    weight = np.tile(part * part * (3 - 2 * part), PERIOD)
    for axis in range(3):
        shape = [1, 1, 1]
        shape[axis] = -1
        near, far = np.repeat(block, STEPS, axis), np.repeat(np.roll(block, -1, axis), STEPS, axis)
        block = near + weight.reshape(shape) * (far - near)
    return np.ascontiguousarray(block, F32)
