"""Rows of results in Python: as a table of a notebook, and as a data frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from toolkit.errors import MissingDependencyError
from toolkit.notebook import html_table

if TYPE_CHECKING:
    from toolkit.bench.records.schema import Row

ARROWS = {"lower": "↓", "higher": "↑"}


def rows_as_html(rows: Sequence[Row]) -> str:
    """A table per protocol, data set and world: methods down, metrics across."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(f"{row.protocol} on {row.data} (world: {row.world})", []).append(row)
    return "".join(_table(title, group) for title, group in groups.items()) or "<p>no rows</p>"


def _table(title: str, rows: Sequence[Row]) -> str:
    columns = {(row.metric, row.backend): f"{row.metric} {ARROWS[row.direction]}" for row in rows}
    values = {(row.method, row.metric, row.backend): row.value for row in rows}
    methods = dict.fromkeys(row.method for row in rows)
    lines = [[method, *(_number(values.get((method, *column))) for column in columns)] for method in methods]
    return html_table(title, ["method", *columns.values()], lines)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def rows_as_frame(rows: Sequence[Row]) -> Any:
    """A pandas data frame with a line per row of results and a column per key.

    Raises:
        MissingDependencyError: pandas is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise MissingDependencyError("pandas", "a data frame", "frames") from error
    from toolkit.bench.records.schema import Row

    return pandas.DataFrame([row.model_dump() for row in rows], columns=list(Row.model_fields))
