"""Rows of results as tables: methods down, metrics across; what must not be compared never shares one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
ASIDE = ("floor",)
"""Rows that are no method: never best."""
BACKENDS = {"embedded": "embedded metric networks", "reference": "the literature's metric networks", "": ""}


@dataclass(frozen=True)
class Column:
    """A metric of a table."""

    label: str
    """Name, with `@region` where it looks at a part."""
    direction: str
    """'lower' or 'higher' is better."""
    unit: str

    @property
    def is_part(self) -> bool:
        """Whether it looks at a part of the pictures, or a stage, only."""
        return "@" in self.label


@dataclass(frozen=True)
class Table:
    """Numbers that may be compared: one protocol, one data set, one world, one set of metric networks."""

    protocol: str
    data: str
    world: str
    backend: str
    """'embedded', 'reference', or empty where no metric needs a network."""
    columns: tuple[Column, ...]
    methods: tuple[str, ...]
    cells: dict[tuple[str, str], Row]
    """Rows of results by (method, label)."""

    @property
    def title(self) -> str:
        """What the table is about, in a line."""
        networks = f", {BACKENDS[self.backend]}" if self.backend else ""
        return f"{self.protocol} on {self.data} (world: {self.world}{networks})"

    def ranks(self, column: Column) -> dict[str, int]:
        """Place of the best (1) and the second (2) method of a column; equal numbers share a place."""
        known = [
            (row["value"], method)
            for method in self.methods
            if method not in ASIDE and (row := self.cells.get((method, column.label))) and row["value"] is not None
        ]
        levels = sorted({value for value, _ in known}, reverse=column.direction == "higher")[:2]
        if len(known) < 2:
            return {}
        return {method: levels.index(value) + 1 for value, method in known if value in levels}

    def counts(self, method: str) -> tuple[int, int]:
        """The most comparisons that entered a metric of the whole picture, and the most that failed."""
        rows = [row for column in self.columns if not column.is_part
                if (row := self.cells.get((method, column.label)))]  # fmt: skip
        rows = rows or [row for (name, _), row in self.cells.items() if name == method]
        return max((row["n"] for row in rows), default=0), max((row["failed"] for row in rows), default=0)

    def narrowed(self, columns: Iterable[Column]) -> Table:
        """The same table with some of its columns."""
        return Table(self.protocol, self.data, self.world, self.backend, tuple(columns), self.methods, self.cells)


def tables_of(rows: Sequence[Row]) -> list[Table]:
    """Group rows into tables, in the order in which protocols come; metrics without networks join each backend's."""
    found = []
    for key in dict.fromkeys((row["protocol"], row["data"], row["world"]) for row in rows):
        mine = [row for row in rows if (row["protocol"], row["data"], row["world"]) == key]
        backends = sorted({backend_of(row) for row in mine} - {""}) or [""]
        for place, backend in enumerate(backends):
            wanted = (backend, "") if place == 0 else (backend,)
            chosen = [row for row in mine if backend_of(row) in wanted]
            columns = {row["metric"]: Column(row["metric"], row["direction"], row["unit"]) for row in chosen}
            ordered = _in_order(list(columns.values()))
            methods = tuple(dict.fromkeys(row["method"] for row in chosen))
            cells = {(row["method"], row["metric"]): row for row in chosen}
            found.append(Table(*key, backend, ordered, methods, cells))
    return found


def backend_of(row: Row) -> str:
    """'reference', 'embedded', or empty where no network is involved."""
    return row["backend"] if row["backend"] in ("reference", "embedded") else ""


def _in_order(columns: list[Column]) -> tuple[Column, ...]:
    """A metric's regions directly after it."""
    names = list(dict.fromkeys(column.label.partition("@")[0] for column in columns))
    return tuple(sorted(columns, key=lambda column: names.index(column.label.partition("@")[0])))


def number(value: float | None, digits: int = 3) -> str:
    """A number with about so many significant digits; '-' where there is none."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 10 ** (digits - 1):
        return f"{value:.0f}"
    if size < 1e-4:
        return f"{value:.1e}"
    places = digits - 1
    while size < 1 and places < digits + 2:
        size *= 10
        places += 1
    while size >= 10:
        size /= 10
        places -= 1
    return f"{value:.{max(places, 0)}f}"
