"""Rows of results as tables: a line per method, a column per metric. One table holds only comparable numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from toolkit.bench.records.schema import Row

NOT_METHODS = ("floor",)
"""Rows that are not methods: never best."""
BACKENDS = {"embedded": "embedded metric networks", "reference": "the literature's metric networks", "": ""}


@dataclass(frozen=True)
class Column:
    """A metric of a table."""

    label: str
    """Name, with `@region` where it looks at a part."""
    direction: str
    """'lower' or 'higher' is better."""
    unit: str
    head: str = ""
    """Protocol, where a table holds several."""

    @property
    def key(self) -> str:
        """What a table finds the column's cells by."""
        return f"{self.head}:{self.label}" if self.head else self.label

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
    """Rows of results by (method, column's key)."""

    @property
    def title(self) -> str:
        """What the table is about, in a line."""
        networks = f", {BACKENDS[self.backend]}" if self.backend else ""
        return f"{self.protocol} on {self.data} (world: {self.world}{networks})"

    @property
    def run_title(self) -> str:
        """What results call the run that its numbers are of."""
        return f"{self.protocol} on {self.data}"

    @property
    def is_glance(self) -> bool:
        """Whether columns are of several protocols, which compare unlike numbers of pictures."""
        return any(column.head for column in self.columns)

    def pages(self, widest: int = 14) -> dict[str, list[Column]]:
        """Columns by title, for paper: one table, or where that were wider, one for each part of the pictures."""
        if len(self.columns) <= widest:
            return {self.title: list(self.columns)}
        found: dict[str, list[Column]] = {}
        for column in self.columns:
            part = column.label.partition("@")[2]
            found.setdefault(f"{self.title}: {part}" if part else self.title, []).append(column)
        return found

    def can_tell(self, column: Column) -> bool:
        """Whether a column's numbers can say that one method is better than another.

        They cannot where none has a spread (a single subject, or a distance without an interval). Beside a floor
        (random heads against other random heads) they cannot either while a method lies below the floor's interval,
        where no method can truly be, or while all methods lie within it: n is too small then.
        """
        rows = [row for method in self.methods if (row := self.cells.get((method, column.key))) is not None]
        mine = [row for row in rows if row.method not in NOT_METHODS and row.value is not None]
        if not any(row.low is not None and row.high is not None and row.low < row.high for row in mine):
            return False
        sign = 1 if column.direction == "lower" else -1
        for method in NOT_METHODS:
            floor = self.cells.get((method, column.key))
            if floor is None:
                continue
            if floor.value is None or floor.low is None or floor.high is None:
                return False
            low, high = sorted((sign * floor.low, sign * floor.high))
            values = [sign * row.value for row in mine if row.value is not None]
            if min(values) < low or max(values) <= high:
                return False
        return True

    def ranks(self, column: Column) -> dict[str, int]:
        """Place of the best (1) and the second (2) method of a column; equal numbers share a place.

        Nobody has a place where the numbers cannot tell (see `can_tell`).
        """
        if not self.can_tell(column):
            return {}
        known = [
            (row.value, method)
            for method in self.methods
            if method not in NOT_METHODS and (row := self.cells.get((method, column.key))) and row.value is not None
        ]
        levels = sorted({value for value, _ in known}, reverse=column.direction == "higher")[:2]
        if len(known) < 2:
            return {}
        return {method: levels.index(value) + 1 for value, method in known if value in levels}

    def counts(self, method: str) -> tuple[int, int]:
        """The most comparisons that entered a metric of the whole picture, and how many failed under every metric."""
        rows = [row for column in self.columns if not column.is_part
                if (row := self.cells.get((method, column.key)))]  # fmt: skip
        rows = rows or [row for (name, _), row in self.cells.items() if name == method]
        return max((row.n for row in rows), default=0), min((row.failed for row in rows), default=0)

    def fewer(self, method: str, column: Column) -> int | None:
        """How many comparisons entered a number of the whole picture, where they are fewer than the method's most."""
        row = self.cells.get((method, column.key))
        used = row.n if row else 0
        return used if row and not column.is_part and not column.head and used < self.counts(method)[0] else None

    def places(self, column: Column) -> int | None:
        """Decimals that suit all numbers of a column; None where they are too unlike for one choice."""
        sizes = sorted(
            abs(row.value) for method in self.methods if (row := self.cells.get((method, column.key))) and row.value
        )
        if not sizes or sizes[-1] > 300 * sizes[0]:
            return None
        return min(max(2 - math.floor(math.log10(sizes[len(sizes) // 2])), 0), 5)

    def narrowed(self, columns: Iterable[Column]) -> Table:
        """The same table with some of its columns."""
        return Table(self.protocol, self.data, self.world, self.backend, tuple(columns), self.methods, self.cells)


def tables_of(rows: Sequence[Row]) -> list[Table]:
    """Group rows into tables, in the order in which protocols come; metrics without networks join each backend's."""
    found = []
    for key in dict.fromkeys((row.protocol, row.data, row.world) for row in rows):
        mine = [row for row in rows if (row.protocol, row.data, row.world) == key]
        backends = sorted({backend_of(row) for row in mine} - {""}) or [""]
        for place, backend in enumerate(backends):
            wanted = (backend, "") if place == 0 else (backend,)
            chosen = [row for row in mine if backend_of(row) in wanted]
            columns = {row.metric: Column(row.metric, row.direction, row.unit) for row in chosen}
            ordered = _in_order(list(columns.values()))
            methods = tuple(dict.fromkeys(row.method for row in chosen))
            cells = {(row.method, row.metric): row for row in chosen}
            found.append(Table(*key, backend, ordered, methods, cells))
    return found


def backend_of(row: Row) -> str:
    """'reference', 'embedded', or empty where no network is involved."""
    return row.backend if row.backend in ("reference", "embedded") else ""


def _in_order(columns: list[Column]) -> tuple[Column, ...]:
    """A metric's regions directly after it; yaws rising."""
    names = list(dict.fromkeys(column.label.partition("@")[0] for column in columns))

    def place(column: Column) -> tuple[int, str]:
        return names.index(column.label.partition("@")[0]), column.label if "@yaw_" in column.label else ""

    return tuple(sorted(columns, key=place))


def number(value: float | None, places: int | None = None) -> str:
    """A number with so many decimals, or about three significant digits; '-' where there is none."""
    if value is None:
        return "-"
    if places is None and value and abs(value) < 1e-4:
        return f"{value:.1e}"
    if places is None:
        places = 2 if not value else min(max(2 - math.floor(math.log10(abs(value))), 0), 5)
    return f"{value:z.{places}f}"  # z: never -0.00


def one_line(text: str) -> str:
    """A text without line breaks, other control characters escaped: a results file may hold any name."""
    letters = (letter if letter.isprintable() or letter.isspace() else ascii(letter)[1:-1] for letter in text)
    return " ".join("".join(letters).split())
