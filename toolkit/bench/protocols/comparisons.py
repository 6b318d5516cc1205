"""Paired comparison: the same pictures under two methods, so that hard pictures do not hide a difference."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from toolkit.bench.protocols.rows import RESAMPLES, RowOrigin, labels_of, mean_interval, values_by_item
from toolkit.bench.records.schema import Difference, ValueTable
from toolkit.bench.records.units import CellRecord
from toolkit.bench.subjects.inputs import BenchItem
from toolkit.interfaces import Metric

RESAMPLED = (
    "mean difference on the same items, with its 95 % bootstrap interval (whole subjects are drawn with replacement, "
    f"{RESAMPLES} times)"
)


class Gap(NamedTuple):
    """The difference between two methods, first minus second."""

    difference: float
    low: float
    high: float
    n: int
    """Items that both have."""


def value_tables(
    origin: RowOrigin, records: Mapping[str, list[CellRecord]], metrics: Mapping[str, Metric]
) -> list[ValueTable]:
    """Each method's value of each paired metric on each item: what comparisons, best and worst cases come from."""
    tables = []
    for method, each in records.items():
        for label in labels_of(each, metrics):
            found = values_by_item(each, label)
            if found:
                table = ValueTable(
                    protocol=origin.protocol, data=origin.data, method=method, metric=label, values=found
                )
                tables.append(table)
    return tables


def compare_all(origin: RowOrigin, items: Iterable[BenchItem], tables: Iterable[ValueTable]) -> list[Difference]:
    """The mean difference (first minus second) of every two methods under every metric, with its interval."""
    subjects = {item.id: item.subject for item in items}
    by_metric: dict[str, dict[str, Mapping[str, float]]] = defaultdict(dict)
    for table in tables:
        by_metric[table.metric][table.method] = table.values
    found = []
    for label, methods in by_metric.items():
        for first, second in itertools.combinations(methods, 2):
            gap = paired_difference(methods[first], methods[second], subjects, origin.seed)
            if gap is not None:
                found.append(as_difference(origin, label, first, second, gap))
    return found


def as_difference(origin: RowOrigin, label: str, first: str, second: str, gap: Gap) -> Difference:
    """A difference as results hold it."""
    return Difference(
        protocol=origin.protocol, data=origin.data, metric=label, first=first, second=second, **gap._asdict()
    )


def paired_difference(
    first: Mapping[str, float], second: Mapping[str, float], subjects: Mapping[str, str], seed: int
) -> Gap | None:
    """Mean of first minus second over their common items; bootstrap 95 % interval over subjects; None without one."""
    shared = [item for item in first if item in second]
    if not shared:
        return None
    differences = [first[item] - second[item] for item in shared]
    low, high = mean_interval(differences, [subjects.get(item, item) for item in shared], seed)
    return Gap(math.fsum(differences) / len(shared), low, high, len(shared))
