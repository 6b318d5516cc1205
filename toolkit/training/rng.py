"""Random numbers of a training step: they depend on seed and step alone, and every row of a batch draws its own.

So a row gets the same numbers whichever process works on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


def make_rng(*words: int) -> torch.Generator:
    """A random generator on the CPU that depends on the words alone (seed, step, purpose ...; all >= 0)."""
    state: Any = np.random.SeedSequence(words).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(state[0]) << 31 ^ int(state[1]))


class RowRng:
    """Random numbers for the rows of a batch; drawn on the CPU."""

    def __init__(self, generators: Sequence[torch.Generator], each: int = 1) -> None:
        """Serve `each` rows from every generator.

        Args:
            generators: In the rows' order.
            each: Rows that one generator serves.
        """
        self._generators, self._each = tuple(generators), each

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._generators) * self._each

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers [rows, *shape]."""
        return torch.cat([torch.randn(self._each, *shape, generator=one) for one in self._generators])

    def uniform(self, *shape: int) -> Tensor:
        """Numbers in [0, 1), [rows, *shape]."""
        return torch.cat([torch.rand(self._each, *shape, generator=one) for one in self._generators])

    def below(self, limit: int) -> Tensor:
        """Whole numbers in [0, limit), [rows]."""
        return torch.cat([torch.randint(limit, (self._each,), generator=one) for one in self._generators])


def row_rng(rows: Iterable[int], *words: int) -> RowRng:
    """The random numbers of some rows of a step's whole batch.

    Args:
        rows: Their numbers in the whole batch (`distribution.row_numbers`), at least one.
        words: Seed, step and purpose, as for `make_rng`.
    """
    return RowRng([make_rng(*words, row) for row in rows])
