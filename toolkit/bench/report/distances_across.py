"""Distances between distributions across two runs: other weights or settings, beside the same random heads."""

from __future__ import annotations

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from toolkit.bench.protocols.paired_distances import Made, PairedDistances
from toolkit.bench.protocols.random_heads import Side
from toolkit.bench.protocols.scoring import open_metrics
from toolkit.bench.records.store import Record, Store
from toolkit.errors import InputError
from toolkit.weights.tensors import read_tensors

_PLACE = re.compile(r"-(\d+)-of-(\d+)\.safetensors$")
"""How a file of features ends: the picture's place, which is that of its random heads, and the number of pictures."""


class _Feature(NamedTuple):
    """Where a picture's features lie."""

    place: int
    item: str
    path: Path


def compare_distances(
    folders: tuple[Path, Path], run: Record, rows: tuple[Sequence[Record], Sequence[Record]], cells: Sequence[Record]
) -> list[Record]:
    """Every method of the first run against every method of the second, on the pictures that both made.

    Args:
        folders: Of the two runs, where features and random heads lie.
        run: What the results say of the protocol's run (an entry of `runs`).
        rows: Both results' rows of it: which metrics, by which backend, with which values.
        cells: Its cells: whose picture each is, for the resampling draws whole subjects.

    Returns:
        Records of metric, first, second (methods), difference (first minus second), low, high, n: see
        `PairedDistances`.

    Raises:
        InputError: The runs have other pictures at the same yaws, share no random heads, or hold features of something
            else than their results (methods that were changed and changed back).
        WeightsError: A file of features is gone or damaged.
    """
    count = run["pictures"]["cells"]
    mine, theirs = (_features(folder, run["protocol"], count) for folder in folders)
    known = [feature for each in (*mine.values(), *theirs.values()) for feature in each.values()]
    items = {feature.place: feature.item for feature in known}
    if any(feature.item != items[feature.place] for feature in known):
        raise InputError("they have other pictures at the same yaws")
    if not known or not rows[0]:
        return []
    draws = _shared_draws(folders, count)
    subjects = {cell["item"]: cell["subject"] for cell in cells}
    whose = [subjects.get(items.get(place, ""), str(place)) for place in range(count)]
    made = {f"first {method}": _made(features) for method, features in mine.items()}
    made |= {f"second {method}": _made(features) for method, features in theirs.items()}
    values = [{(row["metric"], row["method"]): row["value"] for row in each if row["n"] == count} for each in rows]
    names, (backend, world) = (row["metric"] for row in rows[0]), (rows[0][0]["backend"], rows[0][0]["world"])
    metrics, found = open_metrics(names, backend, world, run["image_size"]), []
    for name in metrics.taking("distribution"):
        paired = PairedDistances(metrics, name, draws, made, whose, run["settings"]["seed"])
        for first, second in itertools.product(mine, theirs):
            difference = paired.difference(f"first {first}", f"second {second}", range(count))
            if difference is not None:
                _check(difference["difference"], values[0].get((name, first)), values[1].get((name, second)))
                found.append({"metric": name, "first": first, "second": second, **difference})
    return found


def _check(difference: float, first: float | None, second: float | None) -> None:
    if (
        first is not None
        and second is not None
        and not math.isclose(difference, first - second, rel_tol=1e-6, abs_tol=1e-6 * max(abs(first), abs(second)))
    ):
        raise InputError("the features in their folders are not those of their results")


def _features(folder: Path, protocol: str, count: int) -> dict[str, dict[int, _Feature]]:
    """What each method's records refer to, by place; the last record of a place counts."""
    found: dict[str, dict[int, _Feature]] = defaultdict(dict)
    for record in Store(folder / "cells.jsonl", writes=False):
        if record["protocol"] == protocol and record["error"] is None and record.get("scores"):
            name = Path(record["scores"][0]["features"]).name
            ending = _PLACE.search(name)
            if ending is not None and int(ending[2]) == count:
                place = int(ending[1])
                found[record["method"]][place] = _Feature(place, record["item"], folder / "features" / name)
    return dict(found)


def _made(features: Mapping[int, _Feature]) -> Made:
    places = sorted(features)
    sides = [read_tensors(features[place].path)[0] for place in places]
    return Made(places, {name: torch.cat([side[name] for side in sides]) for name in sides[0]})


def _shared_draws(folders: tuple[Path, Path], count: int) -> list[Side]:
    """The random heads that both runs were compared with."""
    names = set.intersection(*({file.name for file in (folder / "features").glob("random-*")} for folder in folders))
    read = [read_tensors(folders[0] / "features" / name) for name in names]
    draws = sorted(((about["draw"], side) for side, about in read if about["heads"] == count), key=lambda pair: pair[0])
    if not draws:
        raise InputError(f"they share no {count} random heads")
    return [side for _, side in draws]
