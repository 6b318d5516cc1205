"""Methods trained several times: means whose intervals are over pictures and trainings.

python experiments/training_seeds.py out/leaderboard --group dual-encoder=dual-encoder,dual-1 --group psp=psp,psp-1

The names are rows of one run of `toolkit bench`, which invert the same pictures. Each of 1000 draws takes as many
pictures and as many trainings as there are, with replacement. Distances of distributions have no value for a picture:
only the trainings' own numbers are printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.bench.records.results import read_results
from toolkit.bench.records.schema import Results
from toolkit.errors import InputError

Values = NDArray[np.float64]
METRICS = (
    "reconstruction:lpips_lite", "reconstruction:id_dlib", "gt360:lpips_lite", "gt360:lpips_lite@occluded",
    "gt360:l2@occluded", "fid360:fd_lite",
)  # fmt: skip
DRAWS = 1000


def main() -> None:
    """Print a table: a line per metric and group, then their differences from the first group."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a run of toolkit bench")
    parser.add_argument("--group", dest="groups", action="append", required=True, help="NAME=ROW,ROW,...")
    parser.add_argument("--metric", dest="metrics", action="append", help="PROTOCOL:METRIC")
    arguments = parser.parse_args()
    groups = {name: rows.split(",") for name, _, rows in (text.partition("=") for text in arguments.groups)}
    print(as_markdown(read_results(arguments.run), groups, arguments.metrics or METRICS))


def as_markdown(results: Results, groups: dict[str, list[str]], metrics: Sequence[str]) -> str:
    """The table.

    Args:
        results: Of one run.
        groups: By name: the rows that are trainings of one method.
        metrics: PROTOCOL:METRIC.

    Raises:
        InputError: The run lacks a row under a metric.
    """
    lines = ["| metric | method | each training | mean, with its interval |", "| --- | --- | --- | --- |"]
    for asked in metrics:
        numbers = {name: [_number(results, asked, row) for row in rows] for name, rows in groups.items()}
        values = _values(results, asked, groups)
        lines += _lines(asked, numbers, None if values is None else drawn_means(values))
    return "\n".join(lines)


def _lines(asked: str, numbers: dict[str, list[float]], means: Values | None) -> list[str]:
    """A line per group, from its trainings' numbers and drawn means [DRAWS, G], and its difference from the first."""
    first, found = next(iter(numbers)), []
    for index, (name, each) in enumerate(numbers.items()):
        trainings = ", ".join(f"{number:.3g}" for number in each)
        told = "" if means is None else _interval(means[:, index])
        found.append(f"| {asked} | {name} | {trainings} | {np.mean(each):.3g}{told} |")
        if name != first and means is not None:
            apart, told = np.mean(numbers[first]) - np.mean(each), _interval(means[:, 0] - means[:, index])
            found.append(f"| {asked} | {first} - {name} | | {apart:.3g}{told} |")
    return found


def drawn_means(groups: Sequence[Values]) -> Values:
    """Means [DRAWS, G] of drawn trainings on drawn pictures, of G groups' values [trainings, pictures].

    The same pictures are drawn for all groups, so that differences are paired.
    """
    rng, found = np.random.default_rng(0), []
    for _ in range(DRAWS):
        pictures = rng.integers(groups[0].shape[1], size=groups[0].shape[1])
        found.append([each[rng.integers(len(each), size=len(each))][:, pictures].mean() for each in groups])
    return np.array(found)


def _values(results: Results, asked: str, groups: dict[str, list[str]]) -> list[Values] | None:
    """Each group's values [trainings, pictures] on the pictures that all rows have; None without any."""
    protocol, _, metric = asked.partition(":")
    tables = {
        table.method: table.values
        for table in results.values
        if (table.protocol, table.metric) == (protocol, metric)
    }  # fmt: skip
    rows = [row for each in groups.values() for row in each]
    if not all(row in tables for row in rows):
        return None
    shared = sorted(set.intersection(*(set(tables[row]) for row in rows)))
    return [np.array([[tables[row][item] for item in shared] for row in each]) for each in groups.values()]


def _number(results: Results, asked: str, row: str) -> float:
    for each in results.rows:
        if f"{each.protocol}:{each.metric}" == asked and each.method == row and each.value is not None:
            return float(each.value)
    raise InputError(f"the run has no {asked} of {row}")


def _interval(means: Values) -> str:
    low, high = np.percentile(means, (2.5, 97.5))
    return f" [{low:.3g}, {high:.3g}]"


if __name__ == "__main__":
    main()
