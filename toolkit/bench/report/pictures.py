"""Which heads the page shows, and their pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from toolkit.bench.records.schema import Head, Results, ValueTable
from toolkit.bench.records.views import HeadViews, ViewFiles
from toolkit.bench.report.shown import SHOWN, is_case_metric

CASE_YAWS = (0.0, 90.0, 180.0)
"""From the input's yaw: what is embedded of a best or worst case."""


class Pictures:
    """The pictures that the page embeds, each head once."""

    def __init__(self, results: Results, folder: Path) -> None:
        self._files = ViewFiles(folder)
        self._heads = {(head.data, head.item, head.method): head for head in results.heads}
        self.embedded: dict[str, HeadViews] = {}
        """What the page needs, by the name under which it asks for it."""

    def whole(self, data: str, item: str, method: str | None) -> str | None:
        """Embed all views of a head; the name to ask for, None where there are none."""
        head, views = self._find(data, item, method)
        if head is None or views is None:
            return None
        self.embedded[head.frames] = views
        return head.frames

    def few(self, data: str, item: str, method: str | None) -> str | None:
        """Embed the views that a case is shown with (all of them where the head is shown whole anyway)."""
        head, views = self._find(data, item, method)
        if head is None or views is None:
            return None
        if head.frames not in self.embedded:
            start = self.yaw(data, item)
            places = sorted({_nearest(views.yaws, start + yaw) for yaw in CASE_YAWS})
            self.embedded[head.frames] = HeadViews(
                yaws=[views.yaws[place] for place in places], pictures=[views.pictures[place] for place in places]
            )
        return head.frames

    def yaw(self, data: str, item: str) -> float:
        """The yaw of an input in degrees."""
        head = self._heads.get((data, item, None))
        return head.yaw or 0.0 if head else 0.0

    def shown(self, data: str) -> list[str]:
        """The items whose heads are shown side by side."""
        items = [item for found, item, method in self._heads if found == data and method is None]
        return items[:SHOWN]

    def _find(self, data: str, item: str, method: str | None) -> tuple[Head | None, HeadViews | None]:
        head = self._heads.get((data, item, method))
        return head, self._files.read(head.frames) if head else None


class Case(NamedTuple):
    """The best or the worst item of a method under a metric."""

    protocol: str
    data: str
    metric: str
    method: str
    rank: str
    """best, worst, or only."""
    item: str
    value: float


def cases(results: Results) -> list[Case]:
    """The best and the worst item of each method under each metric that is shown so."""
    better = {(row.protocol, row.metric): row.direction for row in results.rows}
    return [case for table in results.values if is_case_metric(table.metric) for case in _cases_of(table, better)]


def _cases_of(table: ValueTable, better: Mapping[tuple[str, str], str]) -> list[Case]:
    ranked = sorted(table.values, key=table.values.__getitem__)
    if better.get((table.protocol, table.metric)) == "higher":
        ranked.reverse()
    ends = {"best": ranked[0], "worst": ranked[-1]} if len(ranked) > 1 else {"only": ranked[0]}
    return [
        Case(table.protocol, table.data, table.metric, table.method, rank, item, table.values[item])
        for rank, item in ends.items()
    ]


def _nearest(yaws: list[float], wanted: float) -> int:
    return min(range(len(yaws)), key=lambda place: abs((yaws[place] - wanted + 180) % 360 - 180))
