"""Paired comparison: the same pictures under two methods, so that hard pictures do not hide a difference."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping

from toolkit.bench.protocols.rows import Cell, Frame, labels_of, mean_interval, values_by_item
from toolkit.bench.records.store import Record
from toolkit.interfaces import Metric


def value_tables(
    frame: Frame, records: Mapping[str, list[Record]], metrics: Mapping[str, Metric]
) -> list[Record]:  # fmt: skip
    """Each method's value of each paired metric on each item: what comparisons, best and worst cases come from."""
    tables = []
    for method, each in records.items():
        for label in labels_of([record for record in each if _is_paired(record)], metrics):
            found = values_by_item(each, label)
            if found:
                origin = {"protocol": frame.protocol, "data": frame.data}
                tables.append({**origin, "method": method, "metric": label, "values": found})
    return tables


def compare_all(frame: Frame, cells: Iterable[Cell], tables: Iterable[Record]) -> list[Record]:
    """The mean difference (first minus second) of every two methods under every metric, with its interval."""
    subjects = {cell.id: cell.subject for cell in cells}
    by_metric: dict[str, dict[str, dict[str, float]]] = {}
    for table in tables:
        by_metric.setdefault(table["metric"], {})[table["method"]] = table["values"]
    found = []
    for label, methods in by_metric.items():
        for first, second in itertools.combinations(methods, 2):
            difference = paired_difference(methods[first], methods[second], subjects, frame.seed)
            if difference is not None:
                origin = {"protocol": frame.protocol, "data": frame.data, "metric": label}
                found.append({**origin, "first": first, "second": second, **difference})
    return found


def paired_difference(
    first: Mapping[str, float], second: Mapping[str, float], subjects: Mapping[str, str], seed: int
) -> dict[str, float | int] | None:
    """Mean of first minus second over their common items; bootstrap 95 % interval over subjects.

    Returns:
        `difference`, `low`, `high`, `n` (items); None without a common item.
    """
    shared = [item for item in first if item in second]
    if not shared:
        return None
    differences = [first[item] - second[item] for item in shared]
    low, high = mean_interval(differences, [subjects.get(item, item) for item in shared], seed)
    return {"difference": math.fsum(differences) / len(shared), "low": low, "high": high, "n": len(shared)}


def _is_paired(record: Record) -> bool:
    """Whether a record holds scores per item (fid360's hold features only)."""
    return all("metric" in saying for saying in record.get("scores") or [])
