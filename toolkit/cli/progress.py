"""Progress of long commands on stderr: bars in a terminal, plain lines in a log."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from typing_extensions import Self


class InvertProgress:
    """Shows which photo is being worked on and how far its method is."""

    def __init__(self, total: int) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._photos = self._progress.add_task("photos", total=total)
        self._steps = self._progress.add_task("steps", total=None, visible=False)
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, image: Path, index: int, total: int) -> None:
        """A photo's turn has come."""
        self._started = time.monotonic()
        self._progress.update(self._photos, completed=index, description=f"photo {index + 1} of {total}: {image.name}")
        if not sys.stderr.isatty():
            self._console.print(f"photo {index + 1} of {total}: {image}", soft_wrap=True, highlight=False)

    def stage(self, name: str) -> None:
        """The photo's next stage has begun."""
        self._progress.update(self._steps, description=name, completed=0, total=None, visible=True)

    def step(self, step: int, total: int, losses: object = None) -> None:
        """A method's step is done."""
        self._progress.update(self._steps, completed=step, total=total, visible=True)

    def end(self, status: str) -> None:
        """A photo is done."""
        self._progress.advance(self._photos)
        if not sys.stderr.isatty():
            self._console.print(f"  {status} after {time.monotonic() - self._started:.1f} s", highlight=False)

    def note(self, text: str) -> None:
        """Something that the user should know about this photo."""
        self._console.print(f"  note: {text}", soft_wrap=True, highlight=False)


@contextlib.contextmanager
def download_progress(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar for one download; in a log, a line for every tenth of it."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    task = bar.add_task(escape(name), total=None)
    said = -1

    def show(here: int, total: int | None) -> None:
        nonlocal said
        bar.update(task, completed=here, total=total)
        if total and not sys.stderr.isatty() and here * 10 // total > said:
            said = here * 10 // total
            print(f"{name}: {here / 2**20:.1f} of {total / 2**20:.1f} MiB", file=sys.stderr)

    with bar:
        yield show
