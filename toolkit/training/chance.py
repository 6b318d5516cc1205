"""Random numbers of a step: functions of a few numbers, and for the rows of its batch the same in every process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


def source_of(*words: int) -> torch.Generator:
    """A source (on the CPU) of its own for every choice of seed, step and whatever else tells it apart, all >= 0."""
    state: Any = np.random.SeedSequence(words).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(state[0]) << 31 ^ int(state[1]))


class RowChance:
    """Random numbers for the rows of a batch; drawn on the CPU."""

    def __init__(self, sources: Sequence[torch.Generator], each: int = 1) -> None:
        """Take as many rows as there are sources, or `each` from every source.

        Args:
            sources: Where the numbers come from, in the rows' order.
            each: Rows that one source serves.
        """
        self._sources, self._each = tuple(sources), each

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._sources) * self._each

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers [rows, *shape]."""
        return torch.cat([torch.randn(self._each, *shape, generator=source) for source in self._sources])

    def uniform(self, *shape: int) -> Tensor:
        """Numbers in [0, 1), [rows, *shape]."""
        return torch.cat([torch.rand(self._each, *shape, generator=source) for source in self._sources])

    def below(self, limit: int) -> Tensor:
        """Whole numbers in [0, limit), [rows]."""
        return torch.cat([torch.randint(limit, (self._each,), generator=source) for source in self._sources])


def row_chance(rows: Iterable[int], *words: int) -> RowChance:
    """What rows of a step's whole batch draw.

    Args:
        rows: Their numbers in the whole batch (`distribution.row_numbers`), at least one.
        words: What tells the draw apart: seed, step, purpose; as for `source_of`.
    """
    return RowChance([source_of(*words, row) for row in rows])
