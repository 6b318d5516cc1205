"""What the kernels of skin are told of a person and of points."""

from __future__ import annotations

from typing import NamedTuple

from toolkit_plugins.heads360.compiled.arithmetic import Vector
from toolkit_plugins.heads360.geometry import Floats

LIPS, INSIDE, EARS, NECK, MELANIN, BLOOD, STUBBLE, SCALP, OPEN, FOREHEAD, CROW, FOLD, OILY, BAG = range(14)
"""Columns of what skin is like at the vertices."""


class SkinLook(NamedTuple):
    """A person; amounts as in `Skin`, `Hair` and `Expression`."""

    map: Floats
    """[V, 14], see above."""
    moles: Floats
    """[M, 4], template place and radius."""
    yellow: float
    freckles: float
    shine: float
    old: float
    wrinkles: float
    lifted: float
    """How far the brows are lifted, 0..1."""
    smile: float
    lip_melanin: float
    lip_blood: float
    lipstick: float
    lip_colour: Vector
    """Of the lipstick."""
    hair: Vector
    """Colour of stubble, scalp and brows' ground before they are darkened."""
    brow_arch: float
    brow_thickness: float
    brow_density: float


class SkinNoise(NamedTuple):
    """Noise at M points, each [M] in -1..1."""

    edge: Floats
    """Of the lips."""
    hair: Floats
    """Of stubble and scalp."""
    pigment: Floats
    melanin: Floats
    blood: Floats
    pores: tuple[Floats, Floats, Floats]
    lines: Floats
    """On lips."""
    freckles: Floats
    """[0] where there are none."""
    forehead: tuple[Floats, Floats, Floats]
    """Two of a wave's place, one of its height; [0] without wrinkles."""
    crow: Floats
    """Of the wave beside the eyes; [0] without wrinkles."""
