"""What an inversion costs: wall-clock time and peak memory."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from toolkit.allocation import give_back_freed_memory
from toolkit.metrics.state import MeanMetric

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass
class Effort:
    """Filled in when the measured block ends."""

    seconds: float = math.nan
    peak_mib: float = math.nan
    """Device memory in use at most (CUDA), or the process's resident memory (Linux); NaN where neither is known."""


@contextmanager
def measured(device: torch.device | str = "cpu") -> Iterator[Effort]:
    """Measure the block's time and peak memory; asynchronous work of the device is waited for."""
    device = torch.device(device)
    on_cuda = device.type == "cuda"
    if on_cuda:
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
    else:
        _reset_peak()
    effort = Effort()
    started = time.perf_counter()
    try:
        yield effort
    finally:
        if on_cuda:
            torch.cuda.synchronize(device)
        effort.seconds = time.perf_counter() - started
        effort.peak_mib = torch.cuda.max_memory_allocated(device) / 2**20 if on_cuda else _peak_mib()


def _reset_peak() -> None:
    give_back_freed_memory()
    with suppress(OSError):  # not Linux, or not allowed: the peak is then the process's
        _RESET.write_text("5")  # the kernel starts the high-water mark again


def _peak_mib() -> float:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return math.nan
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), math.nan)


class Seconds(MeanMetric):
    """Wall-clock seconds per image; timings are never part of what makes two runs identical."""

    name, direction, unit, takes = "seconds", "lower", "s", "number"

    def score(self, number: Tensor | float) -> Tensor:
        """The numbers [B] themselves."""
        return torch.as_tensor(number, dtype=torch.float64).reshape(-1)


class PeakMemory(MeanMetric):
    """Peak memory of an inversion in MiB, weights included."""

    name, direction, unit, takes = "peak_memory", "lower", "MiB", "number"

    def score(self, number: Tensor | float) -> Tensor:
        """The numbers [B] themselves."""
        return torch.as_tensor(number, dtype=torch.float64).reshape(-1)
