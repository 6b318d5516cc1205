"""How long a run will take: from what its pieces took so far, and the first picture of every method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from toolkit.bench.store import Store

Kind = tuple[str, str]
"""(method or name of a groundwork, protocol)."""


class Rates:
    """Mean seconds that pieces of a kind take, inversion included where a cell made it."""

    def __init__(self, store: Store) -> None:
        """Learn from the records of earlier runs in the same folder."""
        self._sums: dict[Kind, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for record in store:
            if record.get("took") is not None:
                owner = record["method"] or record["groundwork"]
                self.add((owner, record["protocol"]), record["took"], record.get("size", 1))

    def add(self, kind: Kind, seconds: float, size: int = 1) -> None:
        """A piece was done."""
        self._sums[kind][0] += seconds
        self._sums[kind][1] += size

    def seconds(self, kind: Kind, size: int = 1) -> float:
        """Seconds of a piece of this size; 0 where nothing is known."""
        total, count = self._sums[kind]
        return total / count * size if count else 0.0

    def forecast(self, pending: Iterable[tuple[Kind, int]]) -> dict[str, float]:
        """Seconds left, by method and groundwork, for pieces of these kinds and sizes."""
        left: dict[str, float] = defaultdict(float)
        for kind, size in pending:
            left[kind[0]] += self.seconds(kind, size)
        return dict(left)


def duration(seconds: float) -> str:
    """Seconds in words: '40 s', '3 min', '2 h 10 min'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def sentence(left: dict[str, float], cells: int, pieces: int = 0, width: int = 1) -> str:
    """The forecast in one line.

    Args:
        left: Seconds by method and groundwork.
        cells: How many are left.
        pieces: Of groundwork that are left.
        width: How many are worked on at once.
    """
    left = {name: seconds / width for name, seconds in left.items()}
    parts = ", ".join(f"{name} {duration(seconds)}" for name, seconds in left.items())
    counted = [f"{cells} cells"] * bool(cells) + [f"{pieces} pieces of groundwork"] * bool(pieces)
    return f"{' and '.join(counted)} to do, about {duration(sum(left.values()))}: {parts}"
