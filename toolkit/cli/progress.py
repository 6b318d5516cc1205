"""Progress of long commands on stderr: bars in a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
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
