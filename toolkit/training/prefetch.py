"""Batches made ahead by worker processes: in order, and equal to those that one process makes.

Workers are spawned, never forked: a fork would copy threads' locks, and CUDA, in an unknown state.
"""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Generator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from toolkit.errors import InputError, ToolkitError
from toolkit.training.distribution import assume_place, rank_and_world

BatchMaker = Callable[[int], Any]
"""Makes the batch of a step: a pure function of its own settings, the seed and the step."""
AHEAD = 2
"""Batches that each worker has ready."""


class _Refusal:
    """A user error that a worker met, on its way to the process that reports it."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence


class _Steps(Dataset[Any]):
    """A data set whose item at index i is the batch of step i."""

    def __init__(self, make: BatchMaker) -> None:
        self._make = make

    def __getitem__(self, step: int) -> Any:
        try:
            return self._make(step)
        except ToolkitError as error:
            return _Refusal(str(error))


def prefetched(make: BatchMaker, steps: range, workers: int) -> Generator[Any, None, None]:
    """Yield the batches of some steps in their order.

    Args:
        make: Makes one; with workers it must be picklable: a function of a module, or an object of settings and paths,
            rather than a method of a job with its networks.
        steps: Which.
        workers: Processes, one CPU thread each; 0 makes every batch when it is needed.

    Raises:
        InputError: What a worker refused, in its words.
    """
    if workers == 0:
        yield from map(make, steps)
        return
    loader = DataLoader(
        _Steps(make),
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        prefetch_factor=AHEAD,
        multiprocessing_context="spawn",
        worker_init_fn=functools.partial(_start_worker, *rank_and_world()),
        generator=torch.Generator().manual_seed(0),  # its own: the global one belongs to the training
    )
    for batch in loader:
        if isinstance(batch, _Refusal):
            raise InputError(batch.sentence)
        yield batch


def _start_worker(rank: int, world: int, _worker: int) -> None:
    assume_place(rank, world)
    torch.set_num_threads(1)
    for number in (signal.SIGINT, signal.SIGTERM):  # the training decides when to stop, and then ends its workers
        signal.signal(number, signal.SIG_IGN)
