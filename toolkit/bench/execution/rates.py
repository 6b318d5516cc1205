"""How long units of work take, estimated from earlier units of the same kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from toolkit.bench.records.store import Store
from toolkit.bench.records.units import CellRecord
from toolkit.forecast import Forecast, Work

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
        work = [
            Work(*kind, len(each), None if None in each else sum(filter(None, each))) for kind, each in found.items()
        ]
        return Forecast(tuple(work), "pieces of work", "numbers and report", width)
