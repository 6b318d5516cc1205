"""What a training will cost, from one step of it at its full size."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch.nn import Module

from toolkit.errors import TrainingError
from toolkit.training.distribution import broadcast_weights
from toolkit.training.job import TrainingJob

_QUICK = 5.0
"""Seconds below which the first step, which warms caches up, is not the one that is timed."""


@dataclass(frozen=True)
class Rehearsal:
    """The outcome of `rehearse`."""

    name: str
    steps: int
    """Of the whole training."""
    parameters: Mapping[str, tuple[int, int]]
    """All and trained parameters of each network."""
    losses: Mapping[str, float]
    """Of the first step."""
    memory: int | None
    """Peak bytes: on CUDA what was allocated there, else this process's own; None where the system does not tell."""
    device: str
    """cpu or the CUDA device that `memory` speaks of."""
    seconds: float
    """One step, its batch included."""

    def lines(self) -> list[str]:
        """The outcome for a person to read."""
        width = max(len(name) for name in [*self.parameters, "seconds per step"])
        rows = {
            name: f"{count:,} parameters, {trained:,} of them trained"
            for name, (count, trained) in self.parameters.items()
        }
        rows["losses"] = ", ".join(f"{name} {value:.4g}" for name, value in self.losses.items())
        rows["peak memory"] = "unknown" if self.memory is None else f"{self.memory / 1e9:.2f} GB ({self.device})"
        rows["seconds per step"] = f"{self.seconds:.3g}"
        total = timedelta(seconds=round(self.seconds * self.steps))
        rows["projected total"] = f"{total} for {self.steps} steps like this one; pictures and evaluations come on top"
        return [f"{self.name}: nothing was written", *(f"  {name:<{width}}  {text}" for name, text in rows.items())]


def rehearse(job: TrainingJob) -> Rehearsal:
    """Take the first step of a job, a second one to be timed where that is quick, and keep nothing.

    Raises:
        TrainingError: A loss is NaN or infinite.
    """
    torch.manual_seed(job.seed)
    modules = job.modules()
    broadcast_weights(modules.values())
    losses, seconds = _timed_step(job, 0)
    for name, value in losses.items():
        if not math.isfinite(value):
            raise TrainingError(f"the loss {name!r} is {value} in the first step")
    if seconds < _QUICK and job.steps > 1:
        _, seconds = _timed_step(job, 1)
    parameters = {name: _parameters(module) for name, module in modules.items()}
    memory, device = _peak_memory(modules)
    return Rehearsal(job.name, job.steps, parameters, losses, memory, device, seconds)


def _timed_step(job: TrainingJob, step: int) -> tuple[dict[str, float], float]:
    began = time.perf_counter()
    losses = job.training_step(job.batch(step), step)
    values = {name: float(value) for name, value in losses.items()}  # waits for a GPU, too
    return values, time.perf_counter() - began


def _parameters(module: Module) -> tuple[int, int]:
    sizes = [(one.numel(), one.requires_grad) for one in module.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trained in sizes if trained)


def _peak_memory(modules: Mapping[str, Module]) -> tuple[int | None, str]:
    for module in modules.values():
        for parameter in module.parameters():
            if parameter.device.type == "cuda":
                return torch.cuda.max_memory_allocated(parameter.device), str(parameter.device)
    try:
        import resource
    except ImportError:  # Windows
        return None, "cpu"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024), "cpu"
