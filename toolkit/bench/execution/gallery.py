"""The heads that the report shows: the first pictures, and the best and worst cases of every method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

import torch

from toolkit.bench.execution.runs import ProtocolRun, Say
from toolkit.bench.records.schema import Head, Results
from toolkit.bench.report.shown import SHOWN, is_case_metric
from toolkit.bench.subjects.data import Digests
from toolkit.bench.subjects.inputs import BenchItem, read_item, truth_key
from toolkit.bench.subjects.inversions import Inversions
from toolkit.bench.subjects.methods import ComparedMethod, UnitError
from toolkit.interfaces import Item
from toolkit.rendering.views import around

RING = 12
"""Views of a head that has no true views to be compared with."""


class Gallery:
    """Makes the small pictures that the report wants and that no protocol made on its way."""

    def __init__(
        self, runs: Sequence[ProtocolRun], methods: Sequence[ComparedMethod], found: Sequence[Results], say: Say
    ) -> None:
        """Choose what is wanted.

        Args:
            runs: The protocols of the run.
            methods: All methods.
            found: What each protocol found, for the best and worst cases.
            say: Hears that pictures are made.
        """
        self._runs, self._methods, self._say = runs, methods, say
        self._data = runs[0].request.data_name
        self._wanted = _first_pictures(runs, found) | _best_and_worst(found)
        self._told = False
        self._heads: dict[tuple[str, str | None], Head] = {}
        self._widest = _widest_items(runs)

    def complete(self) -> list[Head]:
        """Every head with pictures, method None for the truth."""
        for run in self._runs:
            for item in run.protocol.items:
                if any((item.id, method.name) not in self._heads for method in self._methods):
                    with suppress(UnitError):  # a picture that cannot be read has been listed where it was asked for
                        self._add(item, read_item(run.digests.data, item.uses[0]), run)
        return list(self._heads.values())

    def _add(self, item: BenchItem, picture: Item, run: ProtocolRun) -> None:
        for method in self._methods:
            key = run.inversions.key(method, picture)
            if (method.name, item.id) in self._wanted and not run.inversions.views.goes_around(key):
                self._make(method, picture, run.inversions, key)
            if key in run.inversions.views:
                self._heads[item.id, method.name] = Head(data=self._data, item=item.id, method=method.name, frames=key)
        if (item.id, None) not in self._heads:
            key = _keep_truth(self._widest[item.id], picture, run.digests, run.inversions)
            yaw = round(math.degrees(float(picture.camera.angles().yaw[0])), 1)
            self._heads[item.id, None] = Head(data=self._data, item=item.id, method=None, frames=key, yaw=yaw)

    def _make(self, method: ComparedMethod, picture: Item, inversions: Inversions, key: str) -> None:
        """Look at a head from a ring of yaws; a head that fails has no pictures."""
        if not self._told:
            self._say("pictures for the report")
            self._told = True
        yaws = torch.arange(RING) * (2 * math.pi / RING) - math.pi + 2 * math.pi / RING
        try:
            views = inversions.head(method, picture).views(around(inversions.generator.spec, yaws))
        except Exception:  # whatever made its units fail has been listed there
            return
        inversions.views.write(key, [math.degrees(float(yaw)) for yaw in yaws], views.image)


def _keep_truth(item: BenchItem, picture: Item, digests: Digests, inversions: Inversions) -> str:
    """The true views that there are, the input among them; what they are found by."""
    key = truth_key(item, digests, picture.image.shape[-1])
    if key not in inversions.views:
        seen = [picture]
        for index in sorted(set(item.uses[1:]) - {item.uses[0]}):
            with suppress(UnitError):
                seen.append(read_item(digests.data, index))
        yaws = [math.degrees(float(each.camera.angles().yaw[0])) for each in seen]
        inversions.views.write(key, yaws, torch.stack([each.image for each in seen]))
    return key


def _first_pictures(runs: Sequence[ProtocolRun], found: Sequence[Results]) -> set[tuple[str, str]]:
    """(method, item) of the first pictures, those of the first protocol before those that only later ones look at."""
    methods = {table.method for results in found for table in results.values}
    items = list(dict.fromkeys(item.id for run in runs for item in run.protocol.items))[:SHOWN]
    return {(method, item) for method in methods for item in items}


def _best_and_worst(found: Sequence[Results]) -> set[tuple[str, str]]:
    """(method, item) of the best and worst cases."""
    wanted = set()
    for table in (table for results in found for table in results.values if is_case_metric(table.metric)):
        ranked = sorted(table.values, key=table.values.__getitem__)
        wanted |= {(table.method, ranked[0]), (table.method, ranked[-1])}
    return wanted


def _widest_items(runs: Sequence[ProtocolRun]) -> dict[str, BenchItem]:
    """Of the items of one picture the one that uses the most pictures: they are its truth."""
    found: dict[str, BenchItem] = {}
    for item in (item for run in runs for item in run.protocol.items):
        if item.id not in found or len(item.uses) > len(found[item.id].uses):
            found[item.id] = item
    return found
