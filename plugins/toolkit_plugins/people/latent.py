"""What the numbers of a latent mean: named pieces, and how traits and choices are read from them.

A latent is a vector of independent standard normals (scaled to RMS 1, which changes each by a few percent). A
continuous trait is one number: its quantile is the normal distribution function. A choice among K is K numbers:
number k wins where z_k + bias_k is largest, and the biases (from the other traits) set how often each wins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

PIECES = (
    ("gender", 1),
    ("age", 1),
    ("ancestry", 3),
    ("build", 2),
    ("shape", 40),
    ("form", 8),
    ("asymmetry", 4),
    ("skin", 8),
    ("makeup", 2),
    ("iris", 2),
    ("brows", 3),
    ("hair style", 18),
    ("hair shape", 6),
    ("hair colour", 3),
    ("beard", 7),
    ("beard shape", 2),
    ("cloth", 12),
    ("cloth colour", 5),
    ("pattern", 4),
    ("glasses", 3),
    ("glasses shape", 4),
    ("earrings", 3),
    ("expression", 14),
)
"""Name and length of each piece, in the order of the latent; `expression` is the expression latent, the rest the
identity latent."""
LATENT_DIM = sum(size for _, size in PIECES)
EXPRESSION_DIM = dict(PIECES)["expression"]

Array = NDArray[np.float64]


class Latent:
    """A latent by pieces."""

    def __init__(self, values: Sequence[float] | NDArray[np.generic]) -> None:
        """Take LATENT_DIM numbers."""
        self.values: Array = np.asarray(values, np.float64)
        starts = np.cumsum([0, *(size for _, size in PIECES)])
        self._pieces = {name: slice(a, a + size) for (name, size), a in zip(PIECES, starts, strict=False)}

    def normals(self, piece: str) -> Array:
        """The numbers of a piece, standard normal."""
        return self.values[self._pieces[piece]]

    def quantiles(self, piece: str) -> list[float]:
        """The numbers of a piece as quantiles in 0..1, uniform."""
        return [float(value) for value in ndtr(self.normals(piece))]

    def choice(self, piece: str, shares: Sequence[float]) -> int:
        """Which of K wins; about as often as its share says (see `biases`)."""
        return int(np.argmax(self.normals(piece) + biases(shares)))


def biases(shares: Sequence[float]) -> Array:
    """Biases that make each of K numbers win about as often as its share: log(share) through the normal's width.

    Exact for K = 2 with equal shares; for others off by some percent, which tests of the distributions allow for.
    A share of 0 never wins.
    """
    total = sum(shares)
    return np.array([math.log(max(share / total, 1e-12)) * 0.62 for share in shares])
