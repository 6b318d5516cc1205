"""In which order items are drawn: endless, seeded, and resumable at any step without replaying what went before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from toolkit.errors import InputError


class EndlessSampler(Sampler[int]):
    """Draws indices without end: every epoch is one permutation (or one weighted draw), a function of (seed, epoch).

    A sampler started at draw n yields exactly what an uninterrupted one yields from its n-th draw on. With several
    processes, process `rank` of `world` takes every `world`-th draw, so that together they are the single process.
    """

    def __init__(
        self,
        length: int,
        seed: int = 0,
        start: int = 0,
        weights: Sequence[float] | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        """Describe the draws.

        Args:
            length: Number of items.
            seed: Non-negative.
            start: Draws that this process has already taken.
            weights: [length], not negative: draw in proportion to them, with replacement; None shuffles.
            rank: This process.
            world: Number of processes.

        Raises:
            InputError: A number is out of range, or the weights do not fit.
        """
        if length < 1 or seed < 0 or start < 0 or not 0 <= rank < world:
            raise InputError(
                "a sampler needs length >= 1, seed >= 0, start >= 0 and 0 <= rank < world, "
                f"got {length}, {seed}, {start}, {rank}, {world}"
            )
        self.length, self.seed, self.start, self.rank, self.world = length, seed, start, rank, world
        self._probabilities = None if weights is None else _probabilities(weights, length)

    def __iter__(self) -> Iterator[int]:
        """Draw without end, from draw `start` on."""
        draw = self.start * self.world + self.rank
        current, order = -1, np.empty(0, dtype=np.int64)
        while True:
            epoch, place = divmod(draw, self.length)
            if epoch != current:
                current, order = epoch, self.epoch_order(epoch)
            yield int(order[place])
            draw += self.world

    def epoch_order(self, epoch: int) -> np.ndarray:
        """The indices [length] of one epoch, in order."""
        random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, epoch])))
        if self._probabilities is None:
            return random.permutation(self.length)
        return random.choice(self.length, size=self.length, p=self._probabilities)


def _probabilities(weights: Sequence[float], length: int) -> np.ndarray:
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != (length,) or not np.isfinite(array).all() or (array < 0).any() or array.sum() <= 0:
        raise InputError(f"weights must be {length} finite numbers, none negative and not all 0")
    return array / array.sum()
