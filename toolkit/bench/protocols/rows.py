"""From records to the rows of results.json: means with bootstrap intervals, and how much entered and how much not."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.bench.records.store import Record
from toolkit.interfaces import Metric

RESAMPLES = 1000
_LEVELS = (2.5, 97.5)


@dataclass(frozen=True)
class Frame:
    """What all rows of a run have in common."""

    protocol: str
    world: str
    """Of the generator."""
    data: str
    """Name of the data set, domain included."""
    seed: int


@dataclass(frozen=True)
class Cell:
    """A piece of work: what one method is asked once."""

    id: str
    subject: str
    """Resampling draws subjects, so that a subject's pictures stay together."""
    comparisons: int = 1
    """How many times each metric is asked; all of them count as failed where the method fails."""
    uses: tuple[int, ...] = ()
    """Indices of the pictures that it depends on, the input first."""


def mean_interval(values: Sequence[float], groups: Sequence[str], seed: int) -> tuple[float, float]:
    """Bootstrap 95 % interval of the mean of values, drawing whole groups with replacement.

    One group gives no spread: both ends are then the mean.
    """
    names = sorted(set(groups))
    sums = {name: [0.0, 0.0] for name in names}
    for value, group in zip(values, groups, strict=True):
        sums[group][0] += value
        sums[group][1] += 1
    table = np.array([sums[name] for name in names])
    totals = table[drawn_groups(len(names), seed)].sum(1)
    low, high = np.percentile(totals[:, 0] / totals[:, 1], _LEVELS)
    return float(low), float(high)


@functools.lru_cache(maxsize=16)
def drawn_groups(count: int, seed: int) -> np.ndarray:
    """Groups drawn with replacement, [RESAMPLES, count]."""
    return np.random.Generator(np.random.PCG64(seed)).integers(0, count, (RESAMPLES, count))


def make_row(frame: Frame, method: str, name: str, metric: Metric, **numbers: float | int | None) -> Record:
    """One row of results.json."""
    return {
        "method": method,
        "protocol": frame.protocol,
        "metric": name,
        **numbers,
        "direction": metric.direction,
        "unit": metric.unit,
        "backend": metric.backend,
        "world": frame.world,
        "data": frame.data,
    }


def paired_rows(
    frame: Frame,
    method: str,
    cells: Iterable[Cell],
    records: Iterable[Record],
    metrics: dict[str, Metric],
    asked: Callable[[Cell, str], int] | None = None,
) -> list[Record]:
    """Rows of a method from the records of its cells, one per metric and region, in the metrics' order.

    A cell's value is the mean over its comparisons, a row's the mean over cells. `asked` says how often a cell is asked
    for a label, where that is not its number of comparisons.
    """
    planned = {cell.id: cell for cell in cells}
    records = list(records)
    lost = [planned[record["item"]] for record in records if record["error"] is not None]
    rows = []
    for label in labels_of(records, metrics) or list(metrics):
        failed = sum(cell.comparisons if asked is None else asked(cell, label) for cell in lost)
        used, found = 0, values_by_item(records, label)
        for record in records:
            sayings = [saying for saying in record.get("scores") or [] if saying["metric"] == label]
            used += sum(saying["used"] for saying in sayings)
            failed += sum(saying["failed"] for saying in sayings)
        subjects = [planned[item].subject for item in found]
        rows.append(_row(frame, method, label, metrics, list(found.values()), subjects, used, failed))
    return rows


def labels_of(records: Iterable[Record], metrics: Iterable[str]) -> list[str]:
    """The metrics, with their regions, that the records hold scores of, in the metrics' order."""
    order = list(metrics)
    scored = (record.get("scores") or [] for record in records if record["error"] is None)
    names = dict.fromkeys(saying["metric"] for sayings in scored for saying in sayings if saying.get("metric"))
    return sorted(names, key=lambda label: order.index(label.partition("@")[0]))


def values_by_item(records: Iterable[Record], label: str) -> dict[str, float]:
    """The mean over a cell's comparisons by the cell's item; cells without a number are left out."""
    found = {}
    for record in records:
        sayings = [saying for saying in record.get("scores") or [] if saying.get("metric") == label]
        numbers = [saying["value"] for saying in sayings if saying["value"] is not None]
        if numbers:
            found[record["item"]] = math.fsum(numbers) / len(numbers)
    return found


def curve_points(
    frame: Frame, method: str, cells: Iterable[Cell], records: Iterable[Record], metrics: dict[str, Metric]
) -> list[Record]:
    """Per metric, input and yaw of the target view: the mean over subjects with its interval."""
    planned = {cell.id: cell for cell in cells}
    groups: dict[tuple[str, float, float], list[tuple[float, str]]] = {}
    failed: dict[tuple[str, float, float], int] = {}
    for record in records:
        for saying in record.get("scores") or []:
            key = (saying["metric"], saying["input_yaw"], saying["yaw"])
            failed[key] = failed.get(key, 0) + saying["failed"]
            found = groups.setdefault(key, [])
            if saying["value"] is not None:
                found.append((saying["value"], planned[record["item"]].subject))
    order = list(metrics)
    points = []
    for key in sorted(groups, key=lambda key: (order.index(key[0].partition("@")[0]), *key)):
        label, input_yaw, yaw = key
        values, subjects = [value for value, _ in groups[key]], [subject for _, subject in groups[key]]
        row = _row(frame, method, label, metrics, values, subjects, len(values), failed[key])
        points.append({**row, "input_yaw": input_yaw, "yaw": yaw})
    return points


def _row(
    frame: Frame,
    method: str,
    label: str,
    metrics: dict[str, Metric],
    values: list[float],
    subjects: list[str],
    used: int,
    failed: int,
) -> Record:
    value = math.fsum(values) / len(values) if values else None
    low, high = mean_interval(values, subjects, frame.seed) if values else (None, None)
    metric = metrics[label.partition("@")[0]]
    return make_row(frame, method, label, metric, value=value, low=low, high=high, n=used, failed=failed)
