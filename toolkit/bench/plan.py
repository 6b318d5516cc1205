"""How long a run will take: from what its cells took so far, and the first picture of every method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from toolkit.bench.store import Store

Piece = tuple[str, str]
"""(method, protocol)."""


class Rates:
    """Mean seconds per cell of a method under a protocol, inversion included where the cell made it."""

    def __init__(self, store: Store) -> None:
        """Learn from the records of earlier runs in the same folder."""
        self._sums: dict[Piece, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for record in store:
            if record.get("took") is not None:
                self.add((record["method"], record["protocol"]), record["took"])

    def add(self, piece: Piece, seconds: float) -> None:
        """A cell was done."""
        self._sums[piece][0] += seconds
        self._sums[piece][1] += 1

    def seconds(self, piece: Piece) -> float:
        """Seconds per cell; 0 where nothing is known."""
        total, count = self._sums[piece]
        return total / count if count else 0.0

    def forecast(self, pending: Iterable[Piece]) -> dict[str, float]:
        """Seconds left by method."""
        left: dict[str, float] = defaultdict(float)
        for piece in pending:
            left[piece[0]] += self.seconds(piece)
        return dict(left)


def duration(seconds: float) -> str:
    """Seconds in words: '40 s', '3 min', '2 h 10 min'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def sentence(left: dict[str, float], cells: int, width: int = 1) -> str:
    """The forecast in one line, for `width` cells at once."""
    left = {method: seconds / width for method, seconds in left.items()}
    parts = ", ".join(f"{method} {duration(seconds)}" for method, seconds in left.items())
    return f"{cells} cells to do, about {duration(sum(left.values()))}: {parts}"
