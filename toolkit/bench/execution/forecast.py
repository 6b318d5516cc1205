"""How long a run will take: from what its pieces took so far, and the first picture of every method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from toolkit.bench.records.store import Store
from toolkit.bench.records.units import CellRecord

Kind = tuple[str, str]
"""(method or name of a precompute, protocol)."""


class Rates:
    """Mean seconds that pieces of a kind take, inversion included where a unit made it."""

    def __init__(self, store: Store[CellRecord]) -> None:
        """Learn from the records of earlier runs in the same folder."""
        self._sums: dict[Kind, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for record in store:
            self.learn(record)

    def learn(self, record: CellRecord) -> None:
        """Take a record into account; a picture that could not be read tells nothing."""
        if record.took is not None and record.stage != "read":
            found = self._sums[record.method or record.precompute or "", record.protocol]
            found[0] += record.took
            found[1] += record.size

    def seconds(self, kind: Kind, size: int = 1) -> float | None:
        """Seconds of a piece of this size; None where nothing is known."""
        total, count = self._sums[kind]
        return total / count * size if count else None

    def forecast(self, pending: Iterable[tuple[Kind, int]], width: int) -> Forecast:
        """How long pieces of these kinds and sizes take, `width` at once."""
        found: dict[Kind, list[float | None]] = defaultdict(list)
        for kind, size in pending:
            found[kind].append(self.seconds(kind, size))
        estimates = [
            Estimate(*kind, len(each), None if None in each else sum(filter(None, each)))
            for kind, each in found.items()
        ]
        return Forecast(tuple(estimates), width)


class Estimate(NamedTuple):
    """What is left of one kind of work."""

    owner: str
    """Method or precompute."""
    protocol: str
    pieces: int
    seconds: float | None
    """Of all together, one after the other; None where nothing of the kind was ever timed."""


@dataclass(frozen=True)
class Forecast:
    """What is left of a run."""

    estimates: tuple[Estimate, ...]
    width: int
    """Pieces that are worked on at once."""

    @property
    def pieces(self) -> int:
        """How many are left."""
        return sum(estimate.pieces for estimate in self.estimates)

    @property
    def seconds(self) -> float:
        """How long they take; what was never timed is left out."""
        return sum(estimate.seconds or 0.0 for estimate in self.estimates) / self.width

    def sentence(self) -> str:
        """The forecast in one line, by method and precompute."""
        left: dict[str, float] = defaultdict(float)
        for estimate in self.estimates:
            left[estimate.owner] += (estimate.seconds or 0.0) / self.width
        parts = ", ".join(f"{owner} {duration(seconds)}" for owner, seconds in left.items())
        return f"{self.pieces} pieces of work to do, about {duration(self.seconds)}: {parts}"

    def lines(self) -> list[str]:
        """The forecast for a person to read: a table by method and protocol, and the total."""
        first = "bench: no results were written; the first pictures are kept"
        if not self.estimates:
            return [first, "  nothing is left to do but numbers and report"]
        table = [("method", "protocol", "to do", "seconds each", "minutes")]
        for owner, protocol, pieces, seconds in self.estimates:
            times = ("unknown", "unknown") if seconds is None else (f"{seconds / pieces:.3g}", f"{seconds / 60:.1f}")
            table.append((owner, protocol, str(pieces), *times))
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        rows = [
            "  ".join(cell.ljust(width) if place < 2 else cell.rjust(width)
                      for place, (cell, width) in enumerate(zip(line, widths, strict=True)))
            for line in table
        ]  # fmt: skip
        at_once = f", {self.width} at once" if self.width > 1 else ""
        total = f"{duration(self.seconds)} for {self.pieces} pieces of work{at_once}; numbers and report come on top"
        return [first, *(f"  {row}" for row in rows), f"  projected total  {total}"]

    def as_json(self) -> dict[str, Any]:
        """The same for a program."""
        estimates = [estimate._asdict() for estimate in self.estimates]
        return {"estimates": estimates, "at_once": self.width, "seconds": self.seconds}


def duration(seconds: float) -> str:
    """Seconds in words: '40 s', '3 min', '2 h 10 min'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
