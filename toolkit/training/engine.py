"""The training loop: steps, what happens between them, and resuming after any kind of stop.

Devices, precision and accumulation are inside the job's `training_step` (`Stepper` helps); several processes each drive
their own copy of the job, and the first one writes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from toolkit.errors import ConfigError, InputError, Interrupted, TrainingError
from toolkit.files import atomic_export, atomic_write, disk_errors_named, is_empty
from toolkit.interfaces.training import Cadence, TrainingJob
from toolkit.progress import Progress, Silence, losses_as_text
from toolkit.training.best import BestSoFar
from toolkit.training.board import Board, check_board
from toolkit.training.checkpoints import Checkpoint, check_identity, latest_checkpoint, save_checkpoint
from toolkit.training.contract import check_job
from toolkit.training.distribution import (
    average_numbers,
    broadcast_state,
    broadcast_weights,
    largest,
    main_process,
    rank_and_world,
)
from toolkit.training.metrics_log import MetricsLog, as_numbers
from toolkit.training.prefetch import prefetched
from toolkit.training.randomness import preserved_random_state, random_states, restore_random_state
from toolkit.training.run_file import note_session
from toolkit.training.stop_signals import GivenUp, StopSignals

WEIGHTS_NAME = "weights.safetensors"
BEST_NAME = "best.safetensors"
_RANK_STRIDE = 0x9E3779B1
"""Between the seeds of two processes, so that their dropout and noise differ."""


@dataclass(frozen=True)
class TrainingRun:
    """How a call of `train` ended."""

    out: Path
    step: int
    """Steps done, over all sessions."""
    finished: bool
    """False where `max_steps` or `max_seconds` ended it before the job's last step."""
    weights: Path
    """What the job exported."""


def train(
    job: TrainingJob,
    out: str | os.PathLike[str],
    *,
    resume: bool = False,
    cadence: Cadence | None = None,
    max_steps: int | None = None,
    max_seconds: float | None = None,
    progress: Progress | None = None,
    tensorboard: bool = False,
) -> TrainingRun:
    """Train a job into a folder; on the CPU, at one thread count, a resumed run equals one that was never stopped.

    Writes `run.json`, `metrics.jsonl`, `checkpoints/`, `sheets/`, where the cadence names a score `best.safetensors`,
    and, when the job's steps or a limit are reached, `weights.safetensors`. A kill loses the steps since the last
    checkpoint; SIGINT and SIGTERM lose none. An evaluation that they end is done again by `resume`.

    Args:
        job: What to train.
        out: The folder; empty or absent unless `resume`.
        resume: Go on from the newest whole checkpoint in `out`; where there is none yet, begin.
        cadence: How often to log, save and draw; None takes the job's own.
        max_steps: At most so many steps in this call.
        max_seconds: Take no further step after so long in this call.
        progress: Told how far the training is; None keeps silent.
        tensorboard: Write event files for TensorBoard, too.

    Raises:
        PluginError: The job lacks a part of the contract.
        ConfigError: The job may only be rehearsed.
        InputError: `out` holds something and `resume` is False.
        TrainingError: A loss or a weight is no longer finite, the checkpoint belongs to other settings, or another
            process of the training has ended.
        Interrupted: A signal came; everything done so far is saved.
        OutputError: The disk is full or read-only.
        MissingDependencyError: TensorBoard is asked for and not installed.
    """
    check_job(job)
    folder = Path(out)
    main = main_process()
    if job.rehearsed_only:
        raise ConfigError(job.rehearsed_only)
    if tensorboard:
        check_board()
    if main:
        with disk_errors_named(folder):
            if not resume and not is_empty(folder):
                raise InputError(f"{folder} is not empty; give another --out, or --resume to go on with what is there")
            folder.mkdir(parents=True, exist_ok=True)
    reporter: Progress = Silence() if progress is None or not main else progress
    loop = _Loop(job, folder, job.cadence if cadence is None else cadence, reporter)
    checkpoint = latest_checkpoint(folder / "checkpoints", reporter.note) if resume and main else None
    if resume and main and checkpoint is None:
        reporter.note(f"no checkpoint in {folder} yet: beginning with the first step")
    loop.begin(checkpoint)
    loop.board = Board(folder, loop.done) if tensorboard and main else None
    reporter.step(job.name, loop.done, job.steps)
    try:
        with loop.stop:
            loop.run(max_steps, max_seconds)
    finally:
        if loop.board is not None:
            loop.board.close()
    if main:
        _export(job, folder / WEIGHTS_NAME)
    return TrainingRun(folder, loop.done, loop.done >= job.steps, folder / WEIGHTS_NAME)


def _export(job: TrainingJob, path: Path) -> None:
    with atomic_export(path) as temporary:
        job.export(temporary)


def first_words(job: TrainingJob) -> Sequence[str]:
    """What a job says about its data before the first step: its own sentences, else its numbers."""
    told = job.news()
    counts = [f"{count:,} {name}" for name, count in job.data.items() if isinstance(count, int)]
    return told or ([", ".join(counts)] if counts else [])


class _Loop:
    """One session of a training."""

    def __init__(self, job: TrainingJob, out: Path, cadence: Cadence, progress: Progress) -> None:
        self.job, self.out, self.cadence, self.progress = job, out, cadence, progress
        self.done = 0
        self.saved: int | None = None
        self.metrics = MetricsLog(out / "metrics.jsonl")
        self.board: Board | None = None
        self.best = BestSoFar(cadence)
        self.stop = StopSignals()
        self.owed = 0
        """Number of the signal that ended the evaluation of the last step; 0: it is not to be done again."""
        self.main = main_process()
        self.identity = {"job": job.name, "seed": job.seed, "config": dict(job.config)}
        if job.trained_for:
            self.identity["trained_for"] = dict(job.trained_for)
        self._seconds_before = 0.0
        self._began = self._saved_at = time.monotonic()

    def begin(self, checkpoint: Checkpoint | None) -> None:
        """Start afresh, or take up a checkpoint of the first process; note the session in run.json."""
        found = broadcast_state(None if checkpoint is None else {**vars(checkpoint), "path": str(checkpoint.path)})
        torch.manual_seed(self.job.seed + rank_and_world()[0] * _RANK_STRIDE)
        if found is None:
            broadcast_weights(self.job.modules().values())
        else:
            checkpoint = Checkpoint(**{**found, "path": Path(found["path"])})
            check_identity(checkpoint, self.identity)
            self._restore(checkpoint)
        if self.main:
            self.metrics.rewind(self.done, evaluated=not self.owed)
            note_session(self.out / "run.json", self.identity, self.done, self.progress.note, self.job.data)
        self._tell_news(first_words(self.job))
        self._began = self._saved_at = time.monotonic()

    def run(self, max_steps: int | None, max_seconds: float | None) -> None:
        """Take steps until the job, a limit or a signal ends it; then save.

        Raises:
            Interrupted: A signal came.
        """
        if self.owed:
            self._evaluate()
        received = self._take_steps(self.job.steps if max_steps is None else self.done + max_steps, max_seconds)
        self._save()
        if received:
            raise Interrupted(
                f"stopped by {signal.Signals(received).name} after step {self.done} of {self.job.steps}; "
                f"everything so far is in {self.out}, --resume goes on",
                signal_number=received,
            )

    def _take_steps(self, last: int, max_seconds: float | None) -> int:
        """The number of the signal that ended them, else 0."""
        last = min(self.job.steps, last)
        with contextlib.closing(self._batches(last)) as batches:
            while self.done < last and not self.owed:
                now = time.monotonic()
                late = max_seconds is not None and now - self._began >= max_seconds
                overdue = self.main and now - self._saved_at >= self.cadence.checkpoint_seconds
                # every process stops and saves at the same step
                received, end, save = largest([self.stop.received or 0, late, overdue])
                if received or end:
                    return int(received)
                self._step(next(batches), save_after=bool(save))
        return self.owed

    def _batches(self, last: int) -> Generator[Any, None, None]:
        steps, maker = range(self.done, last), self.job.batch_maker()
        workers = self.job.workers or 0
        if workers and maker is None:
            raise InputError(f"{self.job.name!r} makes its batches in its own process; set engine.workers to 0")
        return prefetched(maker if maker is not None and workers else self.job.batch, steps, workers)

    def _step(self, batch: Any, save_after: bool) -> None:
        losses = self.job.training_step(batch, self.done)
        self.done += 1
        values = self.metrics.add(average_numbers(losses), self.done)
        last = self.done == self.job.steps
        if last or self.done % self.cadence.log_every == 0:
            self._tell_news(self.job.news())
        if self.main and (last or self.done % self.cadence.log_every == 0):
            self._log("losses", self.metrics.write_losses(self.done, self._seconds()))
        if self.main and (last or self.done % self.cadence.sheet_every == 0):
            self._draw_sheet()
        if last or self.done % self.cadence.evaluate_every == 0:
            self._evaluate()
        if save_after or self.done % self.cadence.checkpoint_every == 0:
            self._save()
        self.progress.step(self.job.name, self.done, self.job.steps, losses_as_text(values))

    def _tell_news(self, sentences: Sequence[str]) -> None:
        """Pass on what the job has to say, and write it down."""
        for sentence in sentences:
            if self.main:
                self.progress.note(sentence)
                self.metrics.write_note(self.done, sentence)

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._began

    def _log(self, group: str, values: dict[str, float]) -> None:
        if self.board is not None:
            self.board.numbers(group, self.done, values)

    def _draw_sheet(self) -> None:
        with preserved_random_state():
            picture = self.job.sheet(self.done)
        if picture is None:
            return
        pixels = np.ascontiguousarray(picture, dtype=np.uint8)
        with atomic_write(self.out / "sheets" / f"step-{self.done:08d}.png") as temporary:
            Image.fromarray(pixels).save(temporary)
        if self.board is not None:
            self.board.picture(self.done, pixels)

    def _evaluate(self) -> None:
        """Score and keep the best, whole or not at all: a signal does not wait for hundreds of pictures."""
        before, improved, given_up = self.best.state(), False, 0
        if self.main:
            try:
                with preserved_random_state(), self.stop.giving_up():
                    scores = as_numbers(self.job.evaluate(self.done))
                    improved = self._is_best(scores)
            except GivenUp:
                self.best.load_state(before)
                improved, given_up = False, self.stop.received or 0
            else:
                self._write_evaluation(scores)
        better, owed = largest([improved, given_up])
        self.owed = int(owed)
        if better:
            self._save()

    def _is_best(self, scores: dict[str, float]) -> bool:
        """Whether they are; then their weights are written, too.

        That is before the checkpoint that says so: a kill in between makes both again.
        """
        if not scores or not self.best.improved(self.done, scores, self.job.part_of(self.done - 1)):
            return False
        _export(self.job, self.out / BEST_NAME)
        return True

    def _write_evaluation(self, scores: dict[str, float]) -> None:
        if scores:
            self.metrics.write_evaluation(self.done, scores)
            self._log("evaluation", scores)

    def _save(self) -> None:
        if self.saved == self.done:
            return
        random, *elsewhere = random_states()
        if self.main:
            job = self.job
            state: dict[str, Any] = {
                "modules": {name: module.state_dict() for name, module in job.modules().items()},
                "optimisers": {name: optimiser.state_dict() for name, optimiser in job.optimisers().items()},
                "job": job.state(),
                "random": random,
                "random_elsewhere": elsewhere,
                "metrics": self.metrics.state(),
                "best": self.best.state(),
                "evaluation_owed": self.owed,
                "seconds": self._seconds(),
            }
            folder, keep = self.out / "checkpoints", self.cadence.keep
            save_checkpoint(folder, self.done, self.identity, state, keep, spared=self.best.step)
        self.saved, self._saved_at = self.done, time.monotonic()

    def _restore(self, checkpoint: Checkpoint) -> None:
        state = checkpoint.state
        try:
            if state["modules"].keys() != self.job.modules().keys():
                raise ValueError(f"its networks are {', '.join(state['modules'])}")
            for name, module in self.job.modules().items():
                module.load_state_dict(state["modules"][name])
            for name, optimiser in self.job.optimisers().items():
                optimiser.load_state_dict(state["optimisers"][name])
            self.job.load_state(state["job"])
            self.metrics.load_state(state["metrics"])
            self._seconds_before = float(state["seconds"])
            self.owed = int(state.get("evaluation_owed", 0))
            if "best" in state:
                self.best.load_state(state["best"])
            randoms = [state["random"], *state.get("random_elsewhere", [])]
            rank, world = rank_and_world()
            if len(randoms) != world:
                self.progress.note(f"resumed with {world} processes instead of {len(randoms)}: the run will differ")
            if rank < len(randoms):
                restore_random_state(randoms[rank])
        except (KeyError, ValueError, RuntimeError) as error:  # torch raises the last two where shapes differ
            reason = " ".join(str(error).split())
            raise TrainingError(
                f"cannot resume from {checkpoint.path}: it does not fit this version of {self.job.name!r} ({reason})"
            ) from error
        self.done = self.saved = checkpoint.step
