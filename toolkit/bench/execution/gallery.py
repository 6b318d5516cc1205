"""The heads that the report shows: the first pictures, and the best and worst cases of every method."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import torch

from toolkit.bench.execution.work import Digests
from toolkit.bench.protocols.gt360 import truth_key
from toolkit.bench.protocols.rows import Cell
from toolkit.bench.records.store import Record
from toolkit.bench.subjects.heads import Views
from toolkit.bench.subjects.inputs import read_item
from toolkit.bench.subjects.inversions import CellError, Contender, Inversions
from toolkit.interfaces import Item
from toolkit.rendering.views import around

SHOWN = 4
"""Pictures whose heads are shown side by side."""
RING = 12
"""Views of a head that has no true views to be compared with."""
NO_CASES = ("seconds", "peak_memory")
"""Metrics whose best and worst cases nobody sees in a picture."""
Group = tuple[list[Cell], Digests, Inversions]


def complete_frames(
    groups: Sequence[Group],
    contenders: Sequence[Contender],
    parts: Iterable[dict[str, Any]],
    say: Callable[[str], None],
) -> list[Record]:
    """Make the pictures that the report wants and that no protocol made on its way.

    Returns:
        `{data, item, method, frames, input}` for every head with pictures, method None for the truth: where in the
        folder `frames` they are.
    """
    parts = list(parts)
    data_name = next(iter(parts[0]["runs"].values()))["data"] if parts else ""
    wanted = _wanted(parts, groups)
    heads: dict[tuple[str, str | None], Record] = {}
    told = False
    widest: dict[str, Cell] = {}
    """Of an item's cells the one that uses the most pictures: they are its truth."""
    for cell in (cell for cells, _, _ in groups for cell in cells):
        if cell.id not in widest or len(cell.uses) > len(widest[cell.id].uses):
            widest[cell.id] = cell
    for cells, digests, inversions in groups:
        for cell in cells:
            names = {method for method, item in wanted if item == cell.id}
            missing = {contender.name for contender in contenders if (cell.id, contender.name) not in heads}
            if not missing:
                continue
            try:
                item = read_item(digests.data, cell.uses[0])
            except CellError:
                continue
            for contender in contenders:
                key = inversions.key(contender, item)
                if contender.name in names and key not in inversions.frames:
                    if not told:
                        say("pictures for the report")
                        told = True
                    _make_frames(contender, item, inversions, key)
                if key in inversions.frames:
                    heads[cell.id, contender.name] = {"data": data_name, "item": cell.id, "method": contender.name,
                                                      "frames": key}  # fmt: skip
            if (cell.id, None) not in heads:
                key = _keep_truth(widest[cell.id], item, digests, inversions)
                yaw = round(math.degrees(float(item.camera.angles().yaw[0])), 1)
                heads[cell.id, None] = {"data": data_name, "item": cell.id, "method": None, "frames": key, "yaw": yaw}
    return list(heads.values())


def _keep_truth(cell: Cell, item: Item, digests: Digests, inversions: Inversions) -> str:
    """The true views that there are, the input among them; what they are found by."""
    key = truth_key(cell, digests, item.image.shape[-1])
    if key not in inversions.frames:
        seen = [item]
        for index in sorted(set(cell.uses[1:]) - {cell.uses[0]}):
            with suppress(CellError):
                seen.append(read_item(digests.data, index))
        yaws = [math.degrees(float(each.camera.angles().yaw[0])) for each in seen]
        inversions.frames.write(key, yaws, torch.stack([each.image for each in seen]))
    return key


def _make_frames(contender: Contender, item: Item, inversions: Inversions, key: str) -> None:
    """Look at a head from a ring of yaws; a head that fails has no pictures."""
    yaws = torch.arange(RING) * (2 * math.pi / RING) - math.pi + 2 * math.pi / RING
    try:
        views: Views = inversions.head(contender, item).views(around(inversions.generator.spec, yaws))
    except Exception:  # whatever made its cells fail has been listed there
        return
    inversions.frames.write(key, [math.degrees(float(yaw)) for yaw in yaws], views.image)


def _wanted(parts: Iterable[dict[str, Any]], groups: Sequence[Group]) -> set[tuple[str, str]]:
    """(method, item) of the first pictures and of the best and worst cases."""
    found = set()
    methods = {table["method"] for part in parts for table in part["values"]}
    for cells, _, _ in groups[:1]:
        found |= {(method, cell.id) for method in methods for cell in cells[:SHOWN]}
    for part in parts:
        for table in part["values"]:
            if is_case_metric(table["metric"]):
                ranked = sorted(table["values"], key=table["values"].__getitem__)
                found |= {(table["method"], item) for item in (ranked[0], ranked[-1])}
    return found


def is_case_metric(label: str) -> bool:
    """Whether the best and worst cases of a metric are shown: of whole pictures, from each yaw where it is told so."""
    name, _, part = label.partition("@")
    return name not in NO_CASES and (not part or part.startswith("yaw_"))
