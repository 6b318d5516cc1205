"""What work will cost, in one form for the benchmark's units of work and the steps of a training."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple


class Work(NamedTuple):
    """What is left of one kind of work."""

    owner: str
    """A method, a precompute, or a training."""
    part: str
    """The protocol or the stage that it belongs to."""
    pieces: int
    seconds: float | None
    """Of all pieces together, one after the other; None where nothing of the kind was ever timed."""

    @property
    def each(self) -> float | None:
        """Mean seconds of a piece."""
        return None if self.seconds is None else self.seconds / self.pieces


@dataclass(frozen=True)
class Forecast:
    """What is left to do, and how long it takes."""

    work: tuple[Work, ...]
    unit: str
    """What pieces are called, in the plural: 'steps'."""
    on_top: str
    """What is not contained, in the plural."""
    width: int = 1
    """Pieces that are worked on at once."""

    @property
    def pieces(self) -> int:
        """How many are left."""
        return sum(each.pieces for each in self.work)

    @property
    def seconds(self) -> float:
        """How long they take; what was never timed is left out."""
        return sum(each.seconds or 0.0 for each in self.work) / self.width

    def total(self) -> str:
        """The total: '51 min for 5400 steps; evaluations come on top'."""
        if not self.work:
            return f"nothing is left to do but {self.on_top}"
        at_once = f", {self.width} at once" if self.width > 1 else ""
        return f"{duration(self.seconds)} for {self.pieces} {self.unit}{at_once}; {self.on_top} come on top"

    def sentence(self) -> str:
        """The forecast in one line, by owner."""
        left: dict[str, float] = defaultdict(float)
        for each in self.work:
            left[each.owner] += (each.seconds or 0.0) / self.width
        parts = ", ".join(f"{owner} {duration(seconds)}" for owner, seconds in left.items())
        return f"{self.pieces} {self.unit} to do, about {duration(self.seconds)}: {parts}"

    def table(self, *heads: str) -> list[str]:
        """Lines of a table by owner and part, below these two heads."""
        rows = [(*heads, "to do", "seconds each", "minutes")]
        for each in self.work:
            times = ("unknown", "unknown")
            if each.seconds is not None:
                times = (f"{each.each:.3g}", f"{each.seconds / 60:.1f}")
            rows.append((each.owner, each.part, str(each.pieces), *times))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return ["  ".join(_placed(row, widths)) for row in rows]

    def as_json(self, part: str) -> dict[str, Any]:
        """The same for a program; `part` names the key of each work's part."""
        work = [
            {"owner": each.owner, part: each.part, "pieces": each.pieces, "seconds": each.seconds} for each in self.work
        ]
        return {"estimates": work, "at_once": self.width, "seconds": self.seconds}


def duration(seconds: float) -> str:
    """Seconds in words: '40 s', '3 min', '2 h 10 min', '12 days'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 100 else f"{round(hours / 24)} days"


def _placed(row: tuple[str, ...], widths: list[int]) -> list[str]:
    """Words to the left, numbers to the right."""
    return [
        cell.ljust(width) if place < 2 else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
