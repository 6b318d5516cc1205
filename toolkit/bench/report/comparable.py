"""What a run holds of a protocol, and whether that may be compared with what another run holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from toolkit.bench.records.schema import Cell, Results, Row, Run, ValueTable

EFFORT = ("seconds", "peak_memory")
"""Metrics that say as much of where a run was made as of the methods."""


@dataclass(frozen=True)
class Side:
    """What one of the two runs holds of a protocol on a data set."""

    run: Run
    rows: list[Row]
    cells: list[Cell]
    values: list[ValueTable]

    @property
    def pictures(self) -> dict[str, str]:
        """What identifies each item's pictures, by item."""
        return {cell.item: cell.pictures for cell in self.cells}


def side_of(results: Results, title: str) -> Side:
    """What results hold of the run with this title."""
    run = results.runs[title]

    def ours(entry: Row | Cell | ValueTable) -> bool:
        return (entry.protocol, entry.data) == (run.protocol, run.data)

    return Side(
        run,
        [row for row in results.rows if ours(row)],
        [cell for cell in results.cells if ours(cell)],
        [table for table in results.values if ours(table)],
    )


def obstacles(first: Side, second: Side) -> Iterator[str]:
    """Why two sides must not be compared at all."""
    if first.run.settings.digest != second.run.settings.digest:
        yield "the protocols differ in version or settings"
    if first.run.image_size != second.run.image_size:
        yield f"pictures of {first.run.image_size} and {second.run.image_size} px"
    others = {row.metric: row for row in second.rows}
    for row in first.rows:
        if row.metric in others:
            yield from _unlike(row, others[row.metric])
    mine, theirs = first.pictures, second.pictures
    if not mine.keys() & theirs.keys():
        yield "they have no picture in common"
    for item in mine:
        if item in theirs and mine[item] != theirs[item]:
            yield f"pictures of the same name differ ({item})"


def _unlike(row: Row, other: Row) -> Iterator[str]:
    for key, mine, theirs in (
        ("world", row.world, other.world),
        ("backend", row.backend, other.backend),
        ("direction", row.direction, other.direction),
        ("unit", row.unit, other.unit),
    ):
        if mine != theirs:
            yield f"{row.metric} has another {key}: {mine} and {theirs}"


def metrics_apart(first: Side, second: Side) -> dict[str, str]:
    """Why metrics of two sides must not be compared, by metric without its part."""
    mine, theirs = first.run.networks, second.run.networks
    found = {
        metric: f"{metric} was computed by another network ({', '.join(files)} differs)"
        for metric, files in mine.items()
        if metric in theirs and files != theirs[metric]
    }
    why = difference_of_places(first.run, second.run)
    return found if why is None else found | {metric: f"{metric} was taken with {why}" for metric in EFFORT}


def difference_of_places(first: Run, second: Run) -> str | None:
    """Why seconds and memory of two runs cannot be compared; None where they can."""
    mine, theirs = _place_of(first), _place_of(second)
    return next((f"another {key}: {mine[key]} and {theirs[key]}" for key in mine if mine[key] != theirs[key]), None)


def _place_of(run: Run) -> dict[str, str | int | None]:
    """What seconds and memory depend on beside the methods."""
    return {
        "device": run.machine.device,
        "processor": run.machine.processor,
        "number of cores": run.machine.cores,
        "number of threads": run.environment.threads,
        "engine": run.engine.name,
        "number of workers": run.engine.workers,
    }


def base_name(metric: str) -> str:
    """A metric without the part of the picture that it looks at: `l2@head` is `l2`."""
    return metric.partition("@")[0]
