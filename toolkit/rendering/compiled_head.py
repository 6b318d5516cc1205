"""A head as the kernels of `toolkit.rendering.compiled_kernels` take it: arrays and numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
NONE, SIGMOID, LRELU = range(3)
"""Numbers of what may follow the decoder's features."""


class Head(NamedTuple):
    """A tri-grid and its decoder."""

    table: Floats
    """[3 D W W and more, C]: one row of channels a texel, W fastest; C is a multiple of 4, filled up with 0."""
    slices: int
    side: int
    scale: np.float32
    """From world units to [-1, 1]."""
    crop: np.float32
    """Largest |x| and |z| that is not empty."""
    first_weight: Floats
    """[C, H]."""
    first_bias: Floats
    density_weight: Floats
    density_bias: np.float32
    feature_weight: Floats
    """[F, H]."""
    feature_bias: Floats
    activation: int


class Space(NamedTuple):
    """Where there is matter."""

    levels: NDArray[np.uint8]
    """[cells^3], 2 where matter is near, 1 around that, 0 elsewhere."""
    cells: int
    scale: np.float32
    """From world units to cells."""


class Ray(NamedTuple):
    """Where a ray begins, and which way it goes."""

    x: np.float32
    y: np.float32
    z: np.float32
    to_x: np.float32
    to_y: np.float32
    to_z: np.float32


class Samples(NamedTuple):
    """Samples along one ray, in order; room for M of them."""

    depth: Floats
    density: Floats
    near: NDArray[np.bool_]
    slot: NDArray[np.int64]
    """Row of `hidden`, -1 where nothing was read."""


class Room(NamedTuple):
    """Memory for one ray after the other."""

    coarse: Samples
    merged: Samples
    fine: Floats
    weights: Floats
    cumulative: Floats
    read: Floats
    """[C]."""
    hidden: Floats
    """[M, H]."""


class Seen(NamedTuple):
    """What R rays showed; 0 where they met nothing."""

    features: Floats
    """[R, F]."""
    depth: Floats
    """[R], weighted by opacity."""
    opacity: Floats
    """[R]."""
