"""The contract between something that is trained and the loop that trains it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import Field

from toolkit.configuration import Config

if TYPE_CHECKING:
    import numpy as np
    from torch.nn import Module
    from torch.optim import Optimizer


class Cadence(Config):
    """Intervals in optimisation steps unless said otherwise; may be nested into a job's configuration as `cadence`.

    None of it changes what is learnt, so a run may be resumed with another cadence.
    """

    log_every: Annotated[int, Field(ge=1)] = 50
    """Steps that a line of metrics.jsonl averages over."""
    checkpoint_every: Annotated[int, Field(ge=1)] = 1000
    """Steps between checkpoints."""
    checkpoint_seconds: Annotated[float, Field(gt=0)] = 300.0
    """Seconds after which a checkpoint is written whatever the step."""
    sheet_every: Annotated[int, Field(ge=1)] = 500
    """Steps between picture sheets."""
    evaluate_every: Annotated[int, Field(ge=1)] = 1000
    """Steps between evaluations."""
    keep: Annotated[int, Field(ge=1)] = 2
    """Checkpoints that are kept."""
    best: str | None = None
    """Name of the evaluation score whose best weights are kept too, with their checkpoint; None keeps only the last.
    Where a training has stages, the best checkpoint is tracked per stage."""
    best_is: Literal["lowest", "highest"] = "lowest"
    """Which way that score is better."""


@dataclass(frozen=True)
class StepKind:
    """Steps of one stage that cost alike."""

    stage: str
    kind: str
    """What sets them apart within the stage; empty: nothing does."""
    steps: int
    example: int
    """One of them, none of which costs more."""


class TrainingJob(Protocol):
    """What `toolkit train` drives; derive from it to inherit the optional parts.

    Steps are counted from 0: the loop calls `training_step(batch(i), i)` for i = 0 ... steps - 1. `sheet`, `evaluate`
    and everything on disk are numbered by the steps *done*. Resuming is exact under three conditions: `batch` depends
    on the seed and the step only; random numbers come from torch's global generators (they are saved) or from seeds
    made of (seed, step); everything else that changes from step to step is in `modules`, `optimisers` or `state`.

    Several processes (`toolkit.training.distribution`) each hold such a job. `batch` then gives this process's rows of
    the step's batch, `training_step` averages gradients before the optimiser's step (`Stepper` does), and
    `sheet`, `evaluate`, `state` and `export` are called in the first process only.
    """

    name: str
    """What users type after `toolkit train`."""
    seed: int
    """The loop seeds torch with it before the first step; initial weights are the job's own affair."""
    steps: int
    """Steps of the whole training."""
    config: Mapping[str, Any]
    """All settings as JSON values. A checkpoint made with others is refused, but for cadence, paths, workers and
    precision (see `toolkit.training.resuming`)."""
    trained_for: Mapping[str, str] = {}
    """Name and fingerprint of the generator that it trains for; a checkpoint made for another is refused."""
    cadence: Cadence = Cadence()
    """How often to log, save, evaluate and draw."""
    workers: int | None = 0
    """Processes that make batches ahead, by `batch_maker`; None: none."""
    data: Mapping[str, Any] = {}
    """What it learns from, in numbers, for run.json: how many pictures, how many with masks ...; where `news` says
    nothing at first, these are said."""
    rehearsed_only: str = ""
    """Why it may be rehearsed but not trained, a sentence for the user; empty: it may be trained."""

    def modules(self) -> Mapping[str, Module]:
        """The networks that are trained and saved, by name."""
        ...

    def optimisers(self) -> Mapping[str, Optimizer]:
        """The optimisers, by name."""
        ...

    def batch(self, step: int) -> Any:
        """The batch of a step: a pure function of the seed and the step."""
        ...

    def training_step(self, batch: Any, step: int) -> Mapping[str, float]:
        """Take one optimisation step (gradients, learning rate of that step and all); return the losses by name.

        A loss need not be there in every step; it is averaged over the steps in which it is.
        """
        ...

    def batch_maker(self) -> Callable[[int], Any] | None:
        """A picklable twin of `batch` for worker processes, without the networks; None: there is none."""
        return None

    def step_kinds(self) -> Sequence[StepKind]:
        """The kinds of steps, stage after stage; none: all steps cost alike."""
        return ()

    def export(self, path: Path) -> None:
        """Write the weights file that ships (safetensors)."""
        ...

    def news(self) -> Sequence[str]:
        """What the user should hear, a sentence each, since it was last asked: at first, what data there are.

        It is asked before the first step and with every line of metrics, in all processes of a training at once.
        """
        return ()

    def state(self) -> Mapping[str, Any]:
        """Whatever else changes while training: nested mappings and sequences of tensors, numbers and strings."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave; tensors arrive on the CPU."""
        return None

    def sheet(self, step: int) -> np.ndarray | None:
        """A picture [H, W, 3] uint8 of the state of things, or None; random numbers drawn here change no step."""
        return None

    def evaluate(self, step: int) -> Mapping[str, float]:
        """Scores on held-out data, by name (none: not evaluated); changes no training step either.

        Ctrl-C ends it by an exception wherever it is: weights that it exchanges are put back in a `finally`.
        """
        return {}

    def part_of(self, step: int) -> str:
        """Which part of the training a step belongs to: `Cadence.best` is tracked per part (one: no name)."""
        return ""
