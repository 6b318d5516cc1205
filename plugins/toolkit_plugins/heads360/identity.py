"""Random streams of identities: a split, a seed and an index always give the same head, on every machine.

A stream is NumPy's PCG64 seeded by SeedSequence([crc32("people/<purpose>"), seed, index, ...]). The split is part
of the purpose, so no seed moves an identity from one split to another. PyTorch's generators are not used: their
numbers differ between devices. The purposes keep the first name of this data set: the weights that ship have learnt
these people.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import Tensor

from toolkit.errors import InputError
from toolkit_plugins.heads360.latent import EXPRESSION_DIM, LATENT_DIM

SPLITS = ("train", "val", "test")


def check_identity(split: str, seed: int, index: int = 0) -> None:
    """Refuse impossible identities.

    Raises:
        InputError: An unknown split, or a negative number.
    """
    if split not in SPLITS:
        raise InputError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    for name, number in (("seed", seed), ("index", index)):
        if number < 0:
            raise InputError(f"{name} must not be negative, got {number}")


def stream(purpose: str, *numbers: int) -> np.random.Generator:
    """The random stream of a purpose and some numbers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([zlib.crc32(purpose.encode()), *numbers])))


def latent_of(split: str, seed: int, index: int) -> Tensor:
    """The latent [LATENT_DIM] of an identity: independent standard normals, float32, scaled to RMS 1.

    A generator's mapping network looks at the direction of z only; scaled latents lose nothing there.

    Raises:
        InputError: See `check_identity`.
    """
    check_identity(split, seed, index)
    return _scaled(stream(f"people/{split}", seed, index).standard_normal(LATENT_DIM))


def expression_latent_of(split: str, seed: int, index: int, number: int) -> Tensor:
    """The expression latent [EXPRESSION_DIM] of a subject's picture `number`: standard normals, float32.

    Raises:
        InputError: See `check_identity`.
    """
    check_identity(split, seed, index)
    normals = stream(f"people/expression/{split}", seed, index, number).standard_normal(EXPRESSION_DIM)
    return torch.from_numpy(normals.astype("float32"))


def _scaled(normals: np.ndarray) -> Tensor:
    return torch.from_numpy((normals / np.sqrt(np.mean(normals**2))).astype("float32"))
