"""From records to the rows of results.json: means with bootstrap intervals, counts of used and failed comparisons."""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.bench.records.schema import CurvePoint, Row
from toolkit.bench.records.units import CellRecord, ScoreRecord
from toolkit.bench.subjects.inputs import BenchItem
from toolkit.interfaces import Metric

RESAMPLES = 1000
_LEVELS = (2.5, 97.5)


@dataclass(frozen=True)
class RowOrigin:
    """What all rows of a protocol on one data set have in common."""

    protocol: str
    world: str
    """Of the generator."""
    data: str
    """Name of the data set, domain included."""
    seed: int


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


def make_row(
    origin: RowOrigin,
    method: str,
    label: str,
    metric: Metric,
    *,
    value: float | None,
    low: float | None,
    high: float | None,
    n: int,
    failed: int,
) -> Row:
    """One row of results.json; `label` is the metric's name with the part that it looked at."""
    return Row(
        method=method,
        protocol=origin.protocol,
        metric=label,
        value=value,
        low=low,
        high=high,
        n=n,
        failed=failed,
        direction=metric.direction,
        unit=metric.unit,
        backend=metric.backend,
        world=origin.world,
        data=origin.data,
    )


def paired_rows(
    origin: RowOrigin,
    method: str,
    items: Iterable[BenchItem],
    records: Iterable[CellRecord],
    metrics: Mapping[str, Metric],
    asked: Callable[[BenchItem, str], int] | None = None,
) -> list[Row]:
    """Rows of a method from the records of its items, one per metric and region, in the metrics' order.

    An item's value is the mean over its comparisons, a row's the mean over items. `asked` says how often an item is
    asked for a label, where that is not its number of comparisons.
    """
    planned = {item.id: item for item in items}
    records = list(records)
    lost = [planned[record.item] for record in records if record.error is not None]
    rows = []
    for label in labels_of(records, metrics) or list(metrics):
        failed = sum(item.comparisons if asked is None else asked(item, label) for item in lost)
        scores = [score for record in records for score in record.measured if score.metric == label]
        found = values_by_item(records, label)
        rows.append(
            mean_row(
                origin, method, label, metrics, list(found.values()), [planned[item].subject for item in found],
                used=sum(score.used for score in scores), failed=failed + sum(score.failed for score in scores),
            )
        )  # fmt: skip
    return rows


def labels_of(records: Iterable[CellRecord], metrics: Iterable[str]) -> list[str]:
    """The metrics, with their regions, that the records hold scores of, in the metrics' order."""
    order = list(metrics)
    scored = (record.measured for record in records if record.error is None)
    names = dict.fromkeys(score.metric for scores in scored for score in scores)
    return sorted(names, key=lambda label: order.index(label.partition("@")[0]))


def values_by_item(records: Iterable[CellRecord], label: str) -> dict[str, float]:
    """The mean over an item's comparisons by the item; items without a number are left out."""
    found = {}
    for record in records:
        numbers = [score.value for score in record.measured if score.metric == label and score.value is not None]
        if numbers:
            found[record.item] = math.fsum(numbers) / len(numbers)
    return found


def curve_points(
    origin: RowOrigin,
    method: str,
    items: Iterable[BenchItem],
    records: Iterable[CellRecord],
    metrics: Mapping[str, Metric],
) -> list[CurvePoint]:
    """Per metric, input and yaw of the target view: the mean over subjects with its interval."""
    subjects = {item.id: item.subject for item in items}
    groups: dict[tuple[str, float, float], list[tuple[ScoreRecord, str]]] = defaultdict(list)
    for record in records:
        for score in record.measured:
            if score.yaw is not None and score.input_yaw is not None:
                groups[score.metric, score.input_yaw, score.yaw].append((score, subjects[record.item]))
    order = list(metrics)
    points = []
    for key in sorted(groups, key=lambda key: (order.index(key[0].partition("@")[0]), *key)):
        label, input_yaw, yaw = key
        known = [(score.value, subject) for score, subject in groups[key] if score.value is not None]
        values, whose = [value for value, _ in known], [subject for _, subject in known]
        failed = sum(score.failed for score, _ in groups[key])
        row = mean_row(origin, method, label, metrics, values, whose, used=len(values), failed=failed)
        points.append(CurvePoint(**row.as_json(), input_yaw=input_yaw, yaw=yaw))
    return points


def mean_row(
    origin: RowOrigin,
    method: str,
    label: str,
    metrics: Mapping[str, Metric],
    values: Sequence[float],
    subjects: Sequence[str],
    *,
    used: int,
    failed: int,
) -> Row:
    """The row of values (of these subjects): their mean, with its bootstrap interval over subjects."""
    value = math.fsum(values) / len(values) if values else None
    low, high = mean_interval(values, subjects, origin.seed) if values else (None, None)
    metric = metrics[label.partition("@")[0]]
    return make_row(origin, method, label, metric, value=value, low=low, high=high, n=used, failed=failed)
