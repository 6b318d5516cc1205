"""What kernels take: a head, where it is empty, and their own memory, as arrays and numbers."""

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
    """[3 D W W, C]: one row of channels a texel, W fastest; C is a multiple of 4, filled up with 0."""
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


class Sparing(NamedTuple):
    """What need not be looked at."""

    levels: NDArray[np.uint8]
    """[cells^3], 2 where matter is near, 1 around that, 0 elsewhere."""
    cells: int
    """0: matter may be anywhere."""
    scale: np.float32
    """From world units to cells."""
    dark: np.float32
    """Optical depth behind which nothing is seen."""
    least: np.float32
    """Samples of less weight show no features."""


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
    """[I]."""
    weights: Floats
    """[M]."""
    cumulative: Floats
    """[S]."""
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


class Kept(NamedTuple):
    """What R rays keep for the way back; without rays, nothing is kept."""

    depth: Floats
    """[R, M], of both passes in order."""
    density: Floats
    """[R, M], raw; empty where nothing was looked at."""
    reached: NDArray[np.int64]
    """[R], samples that light reaches; 0 where nothing is seen."""


class BackRoom(NamedTuple):
    """Memory for one ray after the other, on the way back."""

    weight: Floats
    """[M], of the interval that ends at each sample; so the next three."""
    light: Floats
    """[M], before the interval."""
    clear: Floats
    """[M], share of light that gets through."""
    slope: Floats
    """[M], change of its optical depth with the mean density of its ends."""
    counts: NDArray[np.bool_]
    """[M], whether a sample is evaluated again."""
    shows: Floats
    """[M], features in the direction that is asked for."""
    to_density: Floats
    """[M], what is asked of densities."""
    read: Floats
    """[M, C]."""
    hidden: Floats
    """[M, H]."""
    features: Floats
    """[M, F]."""
    to_hidden: Floats
    """[H], what is asked of activations."""
    to_read: Floats
    """[C], what is asked of channels."""


class Gradients(NamedTuple):
    """What is asked of a head in all; without rows, nobody wants to know."""

    table: Floats
    """[rows, C]."""
    first_weight: Floats
    """[C, H]."""
    first_bias: Floats
    """[H]."""
    last_weight: Floats
    """[1 + F, H]."""
    last_bias: Floats
    """[1 + F]."""
