"""Progress of long commands on stderr: bars in a terminal, a line now and then in a log."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from typing_extensions import Self

from toolkit.cli.text import printable
from toolkit.progress import PART

EVERY = 15.0
"""Seconds between two lines of one name in a log."""
FIRST = 5.0
"""Seconds until the first of them; a part of a piece of work that is done earlier gets no line."""


class TerminalProgress:
    """Shows how far each piece of work is and how long it will take (see `toolkit.progress.Progress`)."""

    def __init__(self, names: Sequence[str] = (), transient: bool = False, stream: TextIO | None = None) -> None:
        """Prepare bars.

        Args:
            names: Work that gets a bar at once; other work gets one when it is first heard of.
            transient: Whether the bars go away at the end.
            stream: Where to; None: stderr.
        """
        stream = sys.stderr if stream is None else stream
        self._console = Console(file=stream, markup=False, emoji=False, highlight=False)
        self._in_terminal = stream.isatty()
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[item]}", markup=False),
            console=self._console,
            speed_estimate_period=600,
            transient=transient,
            disable=not self._in_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._begun: dict[str, tuple[float, int]] = {}
        self._last: dict[str, int] = {}
        self._next: dict[str, float] = {}
        for name in names:
            self._add(name)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    def note(self, text: str) -> None:
        """Print a line, above the bars where there are some."""
        self._console.print(printable(text), soft_wrap=True)

    def step(self, name: str, done: int, total: int, item: str = "", error: str | None = None) -> None:
        """Move a bar; in a log, write a line if it is time."""
        now = time.monotonic()
        if name not in self._tasks:
            self._add(name)
        started, before = self._begun.setdefault(name, (now, done))
        if done < self._last.get(name, done) or (done, before) == (0, 0):  # it begins again, with the next photo
            started, before = self._begun[name] = now, done
            self._next.pop(name, None)
            self._bars.reset(self._tasks[name], start=True)
        elif done > before and self._bars.tasks and not self._bars.finished:
            self._bars.start_task(self._tasks[name])
        self._last[name] = done
        self._bars.update(self._tasks[name], completed=done, total=total, item="" if done == total else printable(item))
        if error is not None:
            self.note(f"{name} failed on {item}: {error}")
        due = self._next.setdefault(name, started + FIRST)
        finished = done == total and (PART not in name or now - started >= FIRST)
        if not self._in_terminal and (now >= due or finished):
            self._next[name] = now + EVERY
            left = _time_left(done - before, now - started, total - done)
            self.note(f"{name}: {done} of {total}{', ' + item if item else ''}{left}")

    def _add(self, name: str) -> None:
        self._tasks[name] = self._bars.add_task(printable(name), total=None, start=False, item="")


def _time_left(done: int, seconds: float, remaining: int) -> str:
    """What a line says of the time that the remaining steps will take, by the pace of those done; empty: unknown."""
    rate = done / seconds if seconds > 0 else 0.0
    return f", about {timedelta(seconds=round(remaining / rate))} left" if rate and remaining > 0 else ""


@contextlib.contextmanager
def download_progress(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar for one download; in a log, a line for every tenth of it."""
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    task = bar.add_task(printable(name), total=None)
    said = -1

    def show(here: int, total: int | None) -> None:
        nonlocal said
        bar.update(task, completed=here, total=total)
        if total and not sys.stderr.isatty() and here * 10 // total > said:
            said = here * 10 // total
            print(f"{printable(name)}: {here / 2**20:.1f} of {total / 2**20:.1f} MiB", file=sys.stderr)

    with bar:
        yield show
