"""The first table: a few columns of every protocol."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.bench.records.schema import Row
from toolkit.bench.report.tables import NOT_METHODS, Column, Table

GLANCE = (
    ("reconstruction", ("lpips", "l2")), ("reconstruction", ("id",)), ("gt360", ("lpips", "l2")),
    ("gt360", ("l2@occluded",)), ("multiview", ("lpips",)), ("fid360", ("kid", "fid")), ("speed", ("seconds",)),
)  # fmt: skip
"""The columns of the first table: of each protocol, the first metric that there is of these beginnings.

Identity around the head is left out: no recogniser scores faces that it cannot see, and at coarse steps that leaves the
input view alone.
"""


def glance_of(tables: Sequence[Table]) -> Table | None:
    """A few columns of each protocol on one data set in one table; the metric networks of one backend only."""
    backend = next((table.backend for table in tables if table.backend), "")
    mine = [table for table in tables if table.backend in (backend, "")]
    columns: list[Column] = []
    cells: dict[tuple[str, str], Row] = {}
    for protocol, starts in GLANCE:
        for table in (table for table in mine if table.protocol == protocol):
            found = _first(table, starts)
            if found is not None:
                column = Column(found.label, found.direction, found.unit, protocol)
                columns.append(column)
                cells |= {(method, column.key): row for (method, key), row in table.cells.items() if key == found.key}
    methods = tuple(dict.fromkeys(method for table in mine for method in table.methods if method not in NOT_METHODS))
    if not columns:
        return None
    return Table("all protocols", mine[0].data, mine[0].world, backend, tuple(columns), methods, cells)


def _first(table: Table, starts: Sequence[str]) -> Column | None:
    for start in starts:
        for column in table.columns:
            name = column.label if "@" in start else column.label.partition("@")[0]
            if name == start or ("@" not in start and name.startswith((f"{start}-", f"{start}_"))):
                return column
    return None
