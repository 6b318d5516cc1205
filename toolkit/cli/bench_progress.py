"""Progress of a comparison on stderr: a bar per method and groundwork in a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from typing_extensions import Self

EVERY = 15.0
"""Seconds between two lines of one name in a log."""


class BenchProgress:
    """Shows how far each method is and how long it will take; groundwork gets a bar when it is first heard of."""

    def __init__(self, methods: Sequence[str]) -> None:
        self._console = Console(stderr=True)
        self._in_terminal = sys.stderr.isatty()
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[now]}"),
            console=self._console,
            speed_estimate_period=600,
            disable=not self._in_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        for method in methods:
            self._add(method)
        self._begun: dict[str, tuple[float, int]] = {}
        self._told: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    def note(self, text: str) -> None:
        """Something begins that takes a while, or is worth knowing."""
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)

    def step(self, name: str, done: int, total: int, item: str, error: str | None) -> None:
        """A piece of work is done."""
        now = time.monotonic()
        if name not in self._tasks:
            self._add(name)
        if name not in self._begun:
            self._begun[name] = (now, done)
            self._bars.start_task(self._tasks[name])
        self._bars.update(self._tasks[name], completed=done, total=total, now="" if done == total else item)
        if error is not None:
            self.note(f"{name} failed on {item}: {error}")
        if not self._in_terminal and (done == total or now - self._told.get(name, -EVERY) >= EVERY):
            self._told[name] = now
            started, before = self._begun[name]
            left = (now - started) / (done - before) * (total - done) if done > before else None
            rest = "" if left is None or done == total else f" (about {left:.0f} s left)"
            self.note(f"{name}: {done} of {total}{rest}")

    def _add(self, name: str) -> None:
        self._tasks[name] = self._bars.add_task(name, total=None, start=False, now="")
