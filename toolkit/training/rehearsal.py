"""What a training will cost, from one step of every kind that it has, at its full size."""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn import Module

from toolkit.errors import TrainingError
from toolkit.forecast import Forecast, Work, duration
from toolkit.interfaces.training import StepKind, TrainingJob
from toolkit.training.contract import check_job
from toolkit.training.distribution import broadcast_weights
from toolkit.training.engine import first_words

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
    """Of the first step of every kind of step."""
    memory: int | None
    """Peak bytes: on CUDA what was allocated there, else this process's own; None where the system does not tell."""
    device: str
    """cpu or the CUDA device that `memory` speaks of."""
    seconds: float
    """One step, its batch included; a mean over all steps where their cost differs."""
    step_kinds: Sequence[tuple[StepKind, float]] = ()
    """Each with the seconds of one of its steps; none: all steps cost alike."""
    data: Sequence[str] = ()
    """What it learns from, and what could not be read, a sentence each."""

    def lines(self) -> list[str]:
        """The outcome for a person to read."""
        rows = {
            name: f"{count:,} parameters, {trained:,} of them trained"
            for name, (count, trained) in self.parameters.items()
        }
        if self.data:
            rows["data"] = "; ".join(self.data)
        rows["losses"] = ", ".join(f"{name} {value:.4g}" for name, value in self.losses.items())
        rows["peak memory"] = "unknown" if self.memory is None else f"{self.memory / 1e9:.2f} GB ({self.device})"
        rows |= dict(self._stages())
        rows["seconds per step"] = f"{self.seconds:.3g}" + (" on average" if self.step_kinds else "")
        rows["projected total"] = self.forecast().total()
        width = max(len(name) for name in rows)
        return [f"{self.name}: nothing was written", *(f"  {name:<{width}}  {text}" for name, text in rows.items())]

    def forecast(self) -> Forecast:
        """How long the whole training takes, by stage."""
        work = [Work(self.name, "", self.steps, self.seconds * self.steps)]
        if self.step_kinds:
            work = [Work(self.name, kind.stage, kind.steps, kind.steps * each) for kind, each in self.step_kinds]
        return Forecast(tuple(work), "steps" if self.step_kinds else "steps like this one", "pictures and evaluations")

    def _stages(self) -> Iterator[tuple[str, str]]:
        for stage, found in itertools.groupby(self.step_kinds, lambda pair: pair[0].stage):
            parts = list(found)
            steps = sum(part.steps for part, _ in parts)
            total = sum(part.steps * seconds for part, seconds in parts)
            kinds = ", ".join(f"{part.kind} {seconds:.3g}" for part, seconds in parts if part.kind)
            each = f"{total / steps:.3g} seconds per step" + (f" ({kinds})" if kinds else "")
            yield f"stage {stage}", f"{each}, {duration(total)} for {steps} steps"


def rehearse(job: TrainingJob) -> Rehearsal:
    """Take two steps of every kind that a job has, time the second, and keep nothing.

    A job whose steps all cost alike takes its first step, and the second where the first is quick.

    Raises:
        PluginError: The job lacks a part of the contract.
        TrainingError: A loss is NaN or infinite.
    """
    check_job(job)
    torch.manual_seed(job.seed)
    modules = job.modules()
    broadcast_weights(modules.values())
    losses: dict[str, float] = {}
    data = list(first_words(job))
    timed: list[tuple[StepKind, float]] = []
    for kind in job.step_kinds():
        losses |= _checked_step(job, kind.example, "when its stage is rehearsed")[0]
        timed.append((kind, _timed_step(job, kind.example)[1]))
    if timed:
        seconds = sum(kind.steps * each for kind, each in timed) / job.steps
    else:
        losses, seconds = _checked_step(job, 0, "in the first step")
        if seconds < _QUICK and job.steps > 1:
            _, seconds = _timed_step(job, 1)
    data += job.news()
    parameters = {name: _parameters(module) for name, module in modules.items()}
    memory, device = _peak_memory(modules)
    return Rehearsal(job.name, job.steps, parameters, losses, memory, device, seconds, timed, data)


def _checked_step(job: TrainingJob, step: int, when: str) -> tuple[dict[str, float], float]:
    losses, seconds = _timed_step(job, step)
    for name, value in losses.items():
        if not math.isfinite(value):
            raise TrainingError(f"the loss {name!r} is {value} {when}")
    return losses, seconds


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
