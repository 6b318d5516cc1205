"""What the numbers of a latent mean: named pieces, and how traits and choices are read from them.

A latent is a vector of independent standard normals (scaled to RMS 1, which changes each by a few percent). A
continuous trait is one number: its quantile is the normal distribution function. A choice among K is K numbers:
number k wins where z_k + bias_k is largest, and the biases (from the other traits) set how often each wins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

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
    """Biases that make each of K numbers win as often as its share of the sum says; a share of 0 never wins."""
    total = sum(shares)
    return _biases(tuple(round(max(share / total, 1e-7), 7) for share in shares))


@lru_cache(maxsize=256)
def _biases(shares: tuple[float, ...]) -> Array:
    """Solved by iteration: k wins with the integral of phi(x - b_k) times the product of the others' Phi(x - b_j)."""
    wanted, found = np.array(shares), 0.7 * np.log(shares)
    grid = np.linspace(-8, 5, 160)
    for _ in range(28):
        away = grid[:, None] - found
        below = np.log(np.maximum(ndtr(away), 1e-300))
        density = np.exp(-0.5 * away**2 + below.sum(1, keepdims=True) - below) / math.sqrt(2 * math.pi)
        wins = np.maximum(density.sum(0) * (grid[1] - grid[0]), 1e-12)
        found = found + 0.7 * np.clip(np.log(wanted / wins), -1, 1)
        found = found - found.max()
    return found
