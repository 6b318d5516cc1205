"""How far a training is: a bar on a terminal, now and then a line elsewhere, nothing by default."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress


class Progress:
    """What the loop tells about itself; this base keeps silent."""

    def start(self, name: str, done: int, steps: int) -> None:
        """A training begins or goes on after `done` of `steps` steps."""

    def advance(self, done: int, losses: Mapping[str, float]) -> None:
        """A step is finished."""

    def say(self, sentence: str) -> None:
        """Something that the user should know."""

    def stop(self) -> None:
        """The training is over or interrupted."""


class LineProgress(Progress):
    """Writes a plain line to a stream every so many seconds."""

    def __init__(self, stream: TextIO, seconds: float = 30.0) -> None:
        """Write to `stream`, the first time soon, then every `seconds`."""
        self._stream = stream
        self._seconds = seconds
        self._name, self._first, self._steps = "", 0, 0
        self._began = self._next = 0.0

    def start(self, name: str, done: int, steps: int) -> None:
        """Say where the training begins."""
        self._name, self._first, self._steps = name, done, steps
        self._began = time.monotonic()
        self._next = self._began + min(5.0, self._seconds)
        self.say(f"{name}: step {done} of {steps}")

    def advance(self, done: int, losses: Mapping[str, float]) -> None:
        """Write a line if it is time."""
        now = time.monotonic()
        if now < self._next and done < self._steps:
            return
        self._next = now + self._seconds
        rate = (done - self._first) / max(now - self._began, 1e-9)
        left = timedelta(seconds=round((self._steps - done) / max(rate, 1e-9)))
        self.say(f"{self._name}: step {done} of {self._steps}, {_losses(losses)}, {rate:.3g} steps/s, {left} left")

    def say(self, sentence: str) -> None:
        """Write a line."""
        print(sentence, file=self._stream, flush=True)


class BarProgress(Progress):
    """Draws a bar with the time left."""

    def __init__(self, stream: TextIO) -> None:
        """Draw on a terminal."""
        self._bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[losses]}", markup=False),
            console=Console(file=stream),
        )

    def start(self, name: str, done: int, steps: int) -> None:
        """Show the bar."""
        self._task = self._bar.add_task(name, total=steps, completed=done, losses="")
        self._bar.start()

    def advance(self, done: int, losses: Mapping[str, float]) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=done, losses=_losses(losses))

    def say(self, sentence: str) -> None:
        """Write a line above the bar."""
        self._bar.console.print(sentence, markup=False, highlight=False)

    def stop(self) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()


def terminal_progress(stream: TextIO) -> Progress:
    """The progress that suits a stream: a bar on a terminal, lines in a file or pipe."""
    return BarProgress(stream) if stream.isatty() else LineProgress(stream)


def _losses(losses: Mapping[str, float], most: int = 4) -> str:
    shown = [f"{name} {value:.4g}" for name, value in list(losses.items())[:most]]
    return "  ".join(shown) + (" ..." if len(losses) > most else "")
