"""Results of several protocols, and of an earlier run in the same folder, as one document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from toolkit.bench.records.schema import (
    Cell,
    CurvePoint,
    Difference,
    Failure,
    Head,
    LeftOut,
    Results,
    Row,
    Run,
    RunWarning,
    Unavailable,
    ValueTable,
)

Origin = tuple[str, str]
"""Protocol and data set."""
Kept = TypeVar("Kept")
Placed = TypeVar("Placed", Row, CurvePoint, ValueTable, Difference, Cell, Failure, RunWarning, Unavailable, LeftOut)


def merged(
    before: Results | None,
    parts: Sequence[Results],
    heads: list[Head],
    left_out: list[LeftOut],
    views: Callable[[Head], int] = lambda head: 1,
) -> Results:
    """Results of several protocols as one document; what `before` holds of other protocols and data stays.

    Args:
        before: What the folder held.
        parts: What each protocol found.
        heads: Those of this run. A truth gives way to the one before it that has more views: another protocol's.
        left_out: Protocols that could not be run.
        views: How many pictures there are of a head.
    """
    done = {_origin(run) for part in parts for run in part.runs.values()} | {_origin(entry) for entry in left_out}
    kept = [] if before is None else [_without(before, done)]
    fresh = {_place(head) for head in heads}
    earlier = {_place(head): head for each in kept for head in each.heads}

    def wider(head: Head) -> Head:
        old = earlier.get(_place(head), head)
        return old if head.method is None and views(old) > views(head) else head

    def every(pick: Callable[[Results], list[Kept]]) -> list[Kept]:
        return [entry for each in (*kept, *parts) for entry in pick(each)]

    return Results(
        format="toolkit-bench",
        schema_version=4,
        generator=parts[0].generator,
        runs={title: run for each in (*kept, *parts) for title, run in each.runs.items()},
        rows=every(lambda each: each.rows),
        curves=every(lambda each: each.curves),
        values=every(lambda each: each.values),
        comparisons=every(lambda each: each.comparisons),
        cells=every(lambda each: each.cells),
        failures=every(lambda each: each.failures),
        warnings=every(lambda each: each.warnings),
        unavailable=every(lambda each: each.unavailable),
        left_out=[*every(lambda each: each.left_out), *left_out],
        heads=[*(head for place, head in earlier.items() if place not in fresh), *map(wider, heads)],
    )


def run_title(protocol: str, data: str) -> str:
    """The key of a run among `runs`."""
    return f"{protocol} on {data}"


def _origin(entry: Run | LeftOut) -> Origin:
    return entry.protocol, entry.data


def _place(head: Head) -> tuple[str, str, str | None]:
    return head.data, head.item, head.method


def _without(results: Results, done: set[Origin]) -> Results:
    """Results without what is of these protocols and data; heads stay where another protocol has their item."""

    def others(entries: Sequence[Placed]) -> list[Placed]:
        return [entry for entry in entries if (entry.protocol, entry.data) not in done]

    cells = others(results.cells)
    items = {(cell.data, cell.item) for cell in cells}
    return Results(
        generator=results.generator,
        runs={title: run for title, run in results.runs.items() if _origin(run) not in done},
        rows=others(results.rows),
        curves=others(results.curves),
        values=others(results.values),
        comparisons=others(results.comparisons),
        cells=cells,
        failures=others(results.failures),
        warnings=others(results.warnings),
        unavailable=others(results.unavailable),
        left_out=others(results.left_out),
        heads=[head for head in results.heads if (head.data, head.item) in items],
    )
