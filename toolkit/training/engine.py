"""The training loop: steps, what happens between them, and going on after any kind of stop.

One process drives one job; devices, precision and accumulation are inside the job's `training_step`.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from toolkit import __version__
from toolkit.errors import InputError, Interrupted, TrainingError
from toolkit.files import atomic_write, disk_errors_named
from toolkit.training.cadence import Cadence
from toolkit.training.checkpoints import Checkpoint, check_identity, latest_checkpoint, save_checkpoint
from toolkit.training.job import TrainingJob
from toolkit.training.metrics_log import MetricsLog
from toolkit.training.progress import Progress
from toolkit.training.randomness import random_state, restore_random_state, undisturbed_randomness
from toolkit.training.stop_signals import StopSignals

WEIGHTS_NAME = "weights.safetensors"


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
) -> TrainingRun:
    """Train a job into a folder; on the CPU, at one thread count, a resumed run equals one that was never stopped.

    Writes `run.json`, `metrics.jsonl`, `checkpoints/`, `sheets/` and, when the job's steps or a limit are reached,
    `weights.safetensors`. A kill loses the steps since the last checkpoint; SIGINT and SIGTERM lose none.

    Args:
        job: What to train.
        out: The folder; empty or absent unless `resume`.
        resume: Go on from the newest whole checkpoint in `out`; where there is none yet, begin.
        cadence: How often to log, save and draw; None takes the job's own.
        max_steps: At most so many steps in this call.
        max_seconds: Take no further step after so long in this call.
        progress: Told how far the training is; None keeps silent.

    Raises:
        InputError: `out` holds something and `resume` is False.
        TrainingError: A loss or a weight is no longer finite, or the checkpoint belongs to other settings.
        Interrupted: A signal came; everything done so far is saved.
        OutputError: The disk is full or read-only.
    """
    folder = Path(out)
    with disk_errors_named(folder):
        if not resume and folder.exists() and any(folder.iterdir()):
            raise InputError(f"{folder} is not empty; give another --out, or --resume to go on with what is there")
        folder.mkdir(parents=True, exist_ok=True)
    reporter = Progress() if progress is None else progress
    loop = _Loop(job, folder, job.cadence if cadence is None else cadence, reporter)
    loop.begin(latest_checkpoint(folder / "checkpoints", reporter.say) if resume else None)
    reporter.start(job.name, loop.done, job.steps)
    try:
        with StopSignals() as stop:
            loop.run(stop, max_steps, max_seconds)
    finally:
        reporter.stop()
    with atomic_write(folder / WEIGHTS_NAME) as temporary:
        job.export(temporary)
    return TrainingRun(folder, loop.done, loop.done >= job.steps, folder / WEIGHTS_NAME)


class _Loop:
    """One session of a training."""

    def __init__(self, job: TrainingJob, out: Path, cadence: Cadence, progress: Progress) -> None:
        self.job, self.out, self.cadence, self.progress = job, out, cadence, progress
        self.done = 0
        self.saved: int | None = None
        self.metrics = MetricsLog(out / "metrics.jsonl")
        self.identity = {"job": job.name, "seed": job.seed, "config": dict(job.config)}
        self._seconds_before = 0.0
        self._began = self._saved_at = time.monotonic()

    def begin(self, checkpoint: Checkpoint | None) -> None:
        """Start afresh, or take up a checkpoint; note the session in run.json."""
        if checkpoint is None:
            torch.manual_seed(self.job.seed)
        else:
            check_identity(checkpoint, self.identity)
            self._restore(checkpoint)
        self.metrics.rewind(self.done)
        self._note_session()
        self._began = self._saved_at = time.monotonic()

    def run(self, stop: StopSignals, max_steps: int | None, max_seconds: float | None) -> None:
        """Take steps until the job, a limit or a signal ends it; then save.

        Raises:
            Interrupted: A signal came.
        """
        last = self.job.steps if max_steps is None else min(self.job.steps, self.done + max_steps)
        while self.done < last and stop.received is None:
            if max_seconds is not None and time.monotonic() - self._began >= max_seconds:
                break
            self._step()
        self._save()
        if stop.received is not None and self.done < last:
            raise Interrupted(
                f"stopped by {signal.Signals(stop.received).name} after step {self.done} of {self.job.steps}; "
                f"everything so far is in {self.out}, --resume goes on",
                signal_number=stop.received,
            )

    def _step(self) -> None:
        losses = self.job.training_step(self.job.batch(self.done), self.done)
        self.done += 1
        values = self.metrics.add(losses, self.done)
        last = self.done == self.job.steps
        if last or self.done % self.cadence.log_every == 0:
            self.metrics.write_losses(self.done, self._seconds())
        if last or self.done % self.cadence.sheet_every == 0:
            self._draw_sheet()
        if last or self.done % self.cadence.evaluate_every == 0:
            self._evaluate()
        overdue = time.monotonic() - self._saved_at >= self.cadence.checkpoint_seconds
        if overdue or self.done % self.cadence.checkpoint_every == 0:
            self._save()
        self.progress.advance(self.done, values)

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._began

    def _draw_sheet(self) -> None:
        with undisturbed_randomness():
            picture = self.job.sheet(self.done)
        if picture is not None:
            with atomic_write(self.out / "sheets" / f"step-{self.done:08d}.png") as temporary:
                Image.fromarray(np.ascontiguousarray(picture, dtype=np.uint8)).save(temporary)

    def _evaluate(self) -> None:
        with undisturbed_randomness():
            scores = self.job.evaluate(self.done)
        if scores:
            self.metrics.write_evaluation(self.done, scores)

    def _save(self) -> None:
        if self.saved == self.done:
            return
        job = self.job
        state: dict[str, Any] = {
            "modules": {name: module.state_dict() for name, module in job.modules().items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in job.optimisers().items()},
            "job": job.state(),
            "random": random_state(),
            "metrics": self.metrics.state(),
            "seconds": self._seconds(),
        }
        save_checkpoint(self.out / "checkpoints", self.done, self.identity, state, self.cadence.keep)
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
            restore_random_state(state["random"])
        except (KeyError, ValueError, RuntimeError) as error:  # torch raises the last two where shapes differ
            reason = " ".join(str(error).split())
            raise TrainingError(
                f"cannot resume from {checkpoint.path}: it does not fit this version of {self.job.name!r} ({reason})"
            ) from error
        self.done = self.saved = checkpoint.step

    def _note_session(self) -> None:
        path = self.out / "run.json"
        sessions = []
        if path.exists():
            try:
                sessions = list(json.loads(path.read_text(encoding="utf-8"))["sessions"])
            except (ValueError, KeyError, TypeError):
                self.progress.say(f"{path} could not be read and is written anew")
        threads = torch.get_num_threads()
        if self.done and sessions and sessions[-1].get("threads") != threads:
            before = sessions[-1].get("threads")
            self.progress.say(f"resumed with {threads} threads instead of {before}: last digits will differ")
        sessions.append(
            {
                "from_step": self.done,
                "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "threads": threads,
                "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
                "versions": {
                    "toolkit": __version__,
                    "torch": torch.__version__,
                    "numpy": np.__version__,
                    "python": platform.python_version(),
                },
            }
        )
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(self.identity | {"sessions": sessions}, indent=2) + "\n", encoding="utf-8")
