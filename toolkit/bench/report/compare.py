"""Two finished runs side by side: every method of the first against every method of the second, paired by picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from toolkit.bench.protocols.comparisons import Gap, paired_difference
from toolkit.bench.records.base import Record
from toolkit.bench.records.schema import Cell, Results, Row, Run, RunDifference, ValueTable
from toolkit.bench.report.tables import number, one_line
from toolkit.errors import InputError, WeightsError

EFFORT = ("seconds", "peak_memory")
"""Metrics that say as much of where a run was made as of the methods."""


class Comparison(Record):
    """What two runs have in common, compared."""

    comparisons: list[RunDifference]
    refused: list[str]
    """Sentences about what the runs share by name but must not be compared."""


class Pair(NamedTuple):
    """A method of the first run and a method of the second one under one metric."""

    metric: str
    first: str
    second: str
    gap: Gap


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


def compare_runs(first: Results, second: Results, folders: tuple[Path, Path] | None = None) -> Comparison:
    """Compare what two runs have in common.

    Args:
        first: Results, as `read_results` returns them.
        second: Others. The same method may stand in both (other weights, another preset).
        folders: Where the runs lie: needed to compare distances between distributions, which are not of single
            pictures but of what lies there.

    Raises:
        InputError: Nothing in them may be compared.
    """
    found: list[RunDifference] = []
    refused: list[str] = []
    for title in (title for title in first.runs if title in second.runs):
        pairs, reasons = _compare_sides(side_of(first, title), side_of(second, title), folders)
        found += pairs
        refused += [one_line(f"{title}: {reason}") for reason in reasons]
    if not found:
        names = [", ".join(results.runs) or "nothing" for results in (first, second)]
        why = "; ".join(refused) or one_line(f"the first has {names[0]}, the second {names[1]}")
        raise InputError(f"these runs have nothing that may be compared: {why}")
    return Comparison(comparisons=found, refused=refused)


def _compare_sides(
    first: Side, second: Side, folders: tuple[Path, Path] | None
) -> tuple[list[RunDifference], list[str]]:
    """Differences between the methods of two sides, and why what is missing must not be compared."""
    reason = next(_obstacles(first, second), None)
    if reason is not None:
        return [], [reason]
    pairs = _pairs_by_picture(first, second)
    if not pairs and folders is not None:
        try:
            pairs = _pairs_of_distances(first, second, folders)
        except (InputError, WeightsError) as error:
            return [], [str(error)]
    if not pairs:
        return [], ["no method of either has a value per picture"]
    apart = _metrics_apart(first, second)
    refused = [apart[name] for name in sorted({_base(pair.metric) for pair in pairs} & apart.keys())]
    directions = {row.metric: row.direction for row in first.rows}
    run = first.run
    return [
        RunDifference(
            protocol=run.protocol, data=run.data, metric=pair.metric, first=pair.first, second=pair.second,
            direction=directions[pair.metric], **pair.gap._asdict(),
        )
        for pair in pairs
        if _base(pair.metric) not in apart and pair.metric in directions
    ], refused  # fmt: skip


def _obstacles(first: Side, second: Side) -> Iterator[str]:
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


def _metrics_apart(first: Side, second: Side) -> dict[str, str]:
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


def _base(metric: str) -> str:
    return metric.partition("@")[0]


def _pairs_by_picture(first: Side, second: Side) -> list[Pair]:
    subjects = {cell.item: cell.subject for cell in first.cells}
    found = []
    for table in first.values:
        for other in (each for each in second.values if each.metric == table.metric):
            gap = paired_difference(table.values, other.values, subjects, first.run.settings.seed)
            if gap is not None:
                found.append(Pair(table.metric, table.method, other.method, gap))
    return found


def _pairs_of_distances(first: Side, second: Side, folders: tuple[Path, Path]) -> list[Pair]:
    from toolkit.bench.report.distances_across import compare_distances  # needs torch

    return [Pair(*each) for each in compare_distances(folders, first, second)]


def as_text(found: Comparison) -> str:
    """The comparison as a table for a terminal."""
    lines = [["protocol", "metric", "first", "second", "first - second", "interval", "n", "better"]]
    for entry in found.comparisons:
        if entry.low <= 0 <= entry.high:
            better = "cannot be told"
        else:
            better = "first" if (entry.difference < 0) == (entry.direction == "lower") else "second"
        interval = f"[{number(entry.low)}, {number(entry.high)}]"
        lines.append([entry.protocol, entry.metric, entry.first, entry.second, number(entry.difference),
                      interval, str(entry.n), better])  # fmt: skip
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
    return "\n".join([text, *(f"refused: {reason}" for reason in found.refused)])
