"""How long work reports its progress; the listener decides how it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

PART = ": "
"""Stands in the name of work that is a part of one piece of other work: `wplus: this picture`."""


class Progress(Protocol):
    """Hears of the progress of work: inverting photos, comparing methods, training, preparing data."""

    def note(self, text: str) -> None:
        """Something begins that takes a while, or is worth knowing."""
        ...

    def step(self, name: str, done: int, total: int, item: str = "", error: str | None = None) -> None:
        """A piece of the work called `name` is done (or was before).

        Args:
            name: What is counted: a method, a training, 'photos'; a part of one piece of it has `PART` in its name.
            done: Pieces done so far.
            total: Pieces in all.
            item: What was worked on, or a few numbers about it.
            error: Why the piece failed, if it did.
        """
        ...


class Silence:
    """A listener for callers who show no progress."""

    def note(self, text: str) -> None:
        """Pass over the text."""

    def step(self, name: str, done: int, total: int, item: str = "", error: str | None = None) -> None:
        """Pass over the step."""


def losses_as_text(losses: Mapping[str, float], most: int = 4) -> str:
    """The first few losses in one line."""
    shown = [f"{name} {value:.4g}" for name, value in list(losses.items())[:most]]
    return "  ".join(shown) + (" ..." if len(losses) > most else "")
