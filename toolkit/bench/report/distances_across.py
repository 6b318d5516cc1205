"""Distances between distributions across two runs: other weights or settings, beside the same random heads."""

from __future__ import annotations

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch

from toolkit.bench.protocols.comparisons import Gap
from toolkit.bench.protocols.features import are_kept, extractors_of
from toolkit.bench.protocols.paired_distances import MethodFeatures, PairedDistances
from toolkit.bench.protocols.random_heads import Features
from toolkit.bench.protocols.scoring import open_metrics
from toolkit.bench.records.store import Store
from toolkit.bench.records.units import CellRecord
from toolkit.errors import InputError
from toolkit.interfaces import FeatureExtractor
from toolkit.tensors import read_tensors

if TYPE_CHECKING:
    from toolkit.bench.report.comparable import Side

_PLACE = re.compile(r"-(\d+)-of-(\d+)\.safetensors$")
"""How a file of features ends: the picture's place, which is that of its random heads, and the number of pictures."""


class _Kept(NamedTuple):
    """Where a picture's features lie."""

    place: int
    item: str
    path: Path


def compare_distances(folders: tuple[Path, Path], first: Side, second: Side) -> list[tuple[str, str, str, Gap]]:
    """Every method of the first run against every method of the second, on the pictures that both made.

    Args:
        folders: Of the two runs, where features and random heads lie.
        first: What the first run's results hold of the protocol.
        second: The same of the second run.

    Returns:
        Metric, method of the first, method of the second, and their difference: see `PairedDistances`.

    Raises:
        InputError: The runs have other pictures at the same yaws, share no random heads, or hold features of something
            else than their results (methods that were changed and changed back).
        WeightsError: A file of features is gone or damaged.
    """
    run, count = first.run, first.run.pictures.cells
    if not first.rows:
        return []
    names, row = [row.metric for row in first.rows], first.rows[0]
    metrics, found = open_metrics(names, row.backend, row.world, run.image_size), []
    extractors = extractors_of(metrics)
    mine, theirs = (_features(folder, run.protocol, count, extractors) for folder in folders)
    items = _items_by_place(mine, theirs)
    if not items:
        return []
    draws = _shared_draws(folders, count, extractors)
    subjects = {cell.item: cell.subject for cell in first.cells}
    whose = [subjects.get(items.get(place, ""), str(place)) for place in range(count)]
    made = {f"first {method}": _made(features) for method, features in mine.items()}
    made |= {f"second {method}": _made(features) for method, features in theirs.items()}
    for name in metrics.distributions:
        paired = PairedDistances(metrics, name, draws, made, whose, run.settings.seed)
        for one, other in itertools.product(mine, theirs):
            gap = paired.difference(f"first {one}", f"second {other}", range(count))
            if gap is not None:
                _check(gap.difference, _printed(first, name, one, count), _printed(second, name, other, count))
                found.append((name, one, other, gap))
    return found


def _items_by_place(*sides: Mapping[str, Mapping[int, _Kept]]) -> dict[int, str]:
    """Which item each place is; all methods of both runs must agree."""
    items: dict[int, str] = {}
    for kept in (kept for side in sides for method in side.values() for kept in method.values()):
        if items.setdefault(kept.place, kept.item) != kept.item:
            raise InputError("they have other pictures at the same yaws")
    return items


def _printed(side: Side, metric: str, method: str, count: int) -> float | None:
    """The value of a metric of a method in its results, if it is of all pictures."""
    found = (row for row in side.rows if (row.metric, row.method, row.n) == (metric, method, count))
    return next((row.value for row in found), None)


def _check(difference: float, first: float | None, second: float | None) -> None:
    if (
        first is not None
        and second is not None
        and not math.isclose(difference, first - second, rel_tol=1e-6, abs_tol=1e-6 * max(abs(first), abs(second)))
    ):
        raise InputError("the features in their folders are not those of their results")


def _features(
    folder: Path, protocol: str, count: int, extractors: Mapping[str, FeatureExtractor]
) -> dict[str, dict[int, _Kept]]:
    """What each method's records refer to, by place; of those with features of these networks the last one counts."""
    found: dict[str, dict[int, _Kept]] = defaultdict(dict)
    for record in Store(folder / "cells.jsonl", CellRecord, writes=False):
        if record.protocol == protocol and record.error is None and record.method is not None and record.features:
            name = Path(record.features[0].features).name
            ending = _PLACE.search(name)
            path = folder / "features" / name
            if ending is not None and int(ending[2]) == count and (not path.is_file() or are_kept(path, extractors)):
                found[record.method][int(ending[1])] = _Kept(int(ending[1]), record.item, path)
    return dict(found)


def _made(features: Mapping[int, _Kept]) -> MethodFeatures:
    places = sorted(features)
    sides = [read_tensors(features[place].path)[0] for place in places]
    return MethodFeatures(places, {name: torch.cat([side[name] for side in sides]) for name in sides[0]})


def _shared_draws(folders: tuple[Path, Path], count: int, extractors: Mapping[str, FeatureExtractor]) -> list[Features]:
    """The random heads that both runs were compared with."""
    names = set.intersection(*({file.name for file in (folder / "features").glob("random-*")} for folder in folders))
    read = [read_tensors(folders[0] / "features" / name) for name in names]
    wanted = (
        (about["draw"], side) for side, about in read if about["heads"] == count and extractors.keys() <= side.keys()
    )
    draws = sorted(wanted, key=lambda pair: pair[0])
    if not draws:
        raise InputError(f"they share no {count} random heads")
    return [side for _, side in draws]
