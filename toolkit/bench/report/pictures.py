"""Which heads the page shows, and their pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolkit.bench.execution.gallery import SHOWN, is_case_metric
from toolkit.bench.records.frames import Frames
from toolkit.bench.report.tables import Row

CASE_TURNS = (0.0, 90.0, 180.0)
"""From the input's yaw: what is embedded of a best or worst case."""


class Pictures:
    """The pictures that the page embeds, each head once."""

    def __init__(self, results: dict[str, Any], folder: Path) -> None:
        self._frames = Frames(folder)
        self._heads = {(head["data"], head["item"], head["method"]): head for head in results["heads"]}
        self.embedded: dict[str, dict[str, Any]] = {}
        """What the page needs, by the name under which it asks for it: yaws and pictures."""

    def whole(self, data: str, item: str, method: str | None) -> str | None:
        """Embed all views of a head; the name to ask for, None where there are none."""
        head = self._heads.get((data, item, method))
        found = self._frames.read(head["frames"]) if head else None
        if head is None or found is None:
            return None
        self.embedded[head["frames"]] = found
        return str(head["frames"])

    def few(self, data: str, item: str, method: str | None) -> str | None:
        """Embed the views that a case is shown with (all of them where the head is shown whole anyway)."""
        head = self._heads.get((data, item, method))
        found = self._frames.read(head["frames"]) if head else None
        if head is None or found is None:
            return None
        name = str(head["frames"])
        if name not in self.embedded:
            start = self.yaw(data, item)
            places = sorted({_nearest(found["yaws"], start + turn) for turn in CASE_TURNS})
            self.embedded[name] = {key: [found[key][place] for place in places] for key in ("yaws", "pictures")}
        return name

    def yaw(self, data: str, item: str) -> float:
        """The yaw of an input in degrees."""
        head = self._heads.get((data, item, None))
        return float(head["yaw"]) if head else 0.0

    def shown(self, data: str) -> list[str]:
        """The items whose heads are shown side by side."""
        items = [item for found, item, method in self._heads if found == data and method is None]
        return items[:SHOWN]


def cases(results: dict[str, Any]) -> list[Row]:
    """The best and the worst item of each method under each metric that is shown so."""
    better = {(row["protocol"], row["metric"]): row["direction"] for row in results["rows"]}
    found = []
    for table in results["values"]:
        if not is_case_metric(table["metric"]):
            continue
        ranked = sorted(table["values"], key=table["values"].__getitem__)
        if better.get((table["protocol"], table["metric"])) == "higher":
            ranked.reverse()
        facts = {key: table[key] for key in ("protocol", "data", "metric", "method")}
        ends = {"best": ranked[0], "worst": ranked[-1]} if len(ranked) > 1 else {"only": ranked[0]}
        found += [{**facts, "rank": rank, "item": item, "value": table["values"][item]} for rank, item in ends.items()]
    return found


def _nearest(yaws: list[float], wanted: float) -> int:
    return min(range(len(yaws)), key=lambda place: abs((yaws[place] - wanted + 180) % 360 - 180))
