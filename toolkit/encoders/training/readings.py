"""What a training has read of its photos, and keeps in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from toolkit.data.prints import PRINT_SIZE


class Reading(NamedTuple):
    """A picture that could be read."""

    pixels: Tensor
    """[3, S, S] uint8."""
    prints: Tensor
    """[2, 64] uint8: as the file has it, and as it is learnt from (see `toolkit.data.prints`)."""


class KeptReadings:
    """Pictures 0 ... N - 1, or why one cannot be read; picklable.

    All lie in one block: a tensor for each would leave holes in memory where the reader's larger ones were, so that a
    set would take four times its size.
    """

    def __init__(self, read: Callable[[int], Reading | str], count: int, size: int) -> None:
        """Read `count` pictures of `size` pixels a side.

        Args:
            read: Reads the picture of a number, or says why it cannot be read.
            count: Number of pictures.
            size: Side in pixels.
        """
        self._pixels = torch.zeros(count, 3, size, size, dtype=torch.uint8)
        self._prints = torch.zeros(count, 2, PRINT_SIZE, dtype=torch.uint8)
        self._reasons: dict[int, str] = {}
        for index in range(count):
            found = read(index)
            if isinstance(found, Reading):
                self._pixels[index], self._prints[index] = found
            else:
                self._reasons[index] = found

    def __getitem__(self, index: int) -> Reading | str:
        """The picture of a number, or why there is none."""
        reason = self._reasons.get(index)
        return Reading(self._pixels[index], self._prints[index]) if reason is None else reason
