"""Two finished runs side by side: every method of the first against every method of the second, paired by picture."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from toolkit.bench.protocols.comparisons import Gap, paired_difference
from toolkit.bench.records.base import Record
from toolkit.bench.records.schema import Results, RunDifference
from toolkit.bench.report.comparable import Side, base_name, metrics_apart, obstacles, side_of
from toolkit.bench.report.tables import number, one_line
from toolkit.errors import InputError, WeightsError


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
    reason = next(obstacles(first, second), None)
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
    apart = metrics_apart(first, second)
    refused = [apart[name] for name in sorted({base_name(pair.metric) for pair in pairs} & apart.keys())]
    directions = {row.metric: row.direction for row in first.rows}
    run = first.run
    return [
        RunDifference(
            protocol=run.protocol, data=run.data, metric=pair.metric, first=pair.first, second=pair.second,
            direction=directions[pair.metric], **pair.gap._asdict(),
        )
        for pair in pairs
        if base_name(pair.metric) not in apart and pair.metric in directions
    ], refused  # fmt: skip


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
