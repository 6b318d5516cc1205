"""Protocol `fid360`: inversions compared with random heads, each head rendered once, from yaws all around."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolkit.bench.protocols.base import BenchProtocol, Numbers, ProtocolContext
from toolkit.bench.protocols.comparisons import as_difference
from toolkit.bench.protocols.features import DISTANCES, distance_of, distribution_names, extractors_of, features_of
from toolkit.bench.protocols.paired_distances import RESAMPLES, MethodFeatures, PairedDistances
from toolkit.bench.protocols.random_heads import Features, RandomHeads, whitened
from toolkit.bench.protocols.rows import RowOrigin, make_row
from toolkit.bench.protocols.scoring import OpenMetrics
from toolkit.bench.protocols.settings import ProtocolSettings
from toolkit.bench.records.schema import FLOOR, Difference, Row
from toolkit.bench.records.store import key_of
from toolkit.bench.records.units import CellRecord, FeaturesRecord, Scores
from toolkit.bench.subjects.heads import Views
from toolkit.bench.subjects.inputs import BenchItem, read_item
from toolkit.bench.subjects.inversions import Inversions
from toolkit.bench.subjects.methods import ComparedMethod, UnitError
from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit.rendering.views import around
from toolkit.tensors import read_tensors, write_tensors

BANDS = {"front": (0.0, 60.0), "side": (60.0, 120.0), "back": (120.0, 180.1)}
"""Ranges of |yaw| in degrees that are also compared alone, as `metric@band`."""
_LEVELS = (2.5, 97.5)


class Fid360(BenchProtocol):
    """Items are pictures; item i of n is seen from the i-th yaw, and so is the i-th random head."""

    interval = "2.5th to 97.5th percentile over independent sets of random heads"
    comparison = (
        "difference of the distances of the same items to the same random heads, with its 95 % bootstrap interval "
        f"(whole subjects are drawn with replacement, {RESAMPLES} times, each time with the next set of random heads)"
    )

    def __init__(self, context: ProtocolContext) -> None:
        """Lay out yaws.

        Raises:
            InputError: No metric of distributions is available, or fewer than two pictures.
        """
        super().__init__(context)
        self._names = distribution_names(self.metrics)
        if len(self.items) < 2:
            raise InputError(f"fid360 compares distributions: at least two pictures are needed, got {len(self.items)}")
        self._places = {item.id: place for place, item in enumerate(self.items)}
        self.yaws = spread_yaws(len(self.items), self.settings.seed)
        self._extractors = extractors_of(self.metrics)
        self._spec = self.generator.spec
        self.precompute: RandomHeads = RandomHeads(
            self.generator,
            self._extractors,
            self.folder,
            yaws=self.yaws,
            draws=self.settings.random_sides,
            seed=self.settings.seed,
            foreground=self.settings.foreground,
        )

    @classmethod
    def check_metrics(cls, settings: ProtocolSettings, metrics: OpenMetrics) -> None:
        """Refuse a run without a metric of distributions.

        Raises:
            InputError: There is none.
        """
        distribution_names(metrics)

    @property
    def choices(self) -> dict[str, Any]:
        """Whose random heads, by which cameras, and how distributions are compared."""
        orbit = self._spec.orbit
        return {
            "random_heads": f"z ~ N(0, 1), truncation {self._spec.truncation:g}, mapped by the front camera",
            "cameras": {"radius": orbit.radius, "pivot": orbit.pivot, "focal": orbit.focal, "pitch": orbit.pitch},
            "distances": DISTANCES,
            "backgrounds": "white, by each head's own opacity" if self.settings.foreground else "as rendered",
        }

    @property
    def extent(self) -> int:
        """The number of items: yaws follow from it."""
        return len(self.items)

    def measure(self, method: ComparedMethod, item: BenchItem, inversions: Inversions) -> Scores:
        """Render one inversion from its yaw and keep its features; the numbers come at the end.

        Raises:
            UnitError: The picture cannot be read or the method fails.
        """
        place = self._places[item.id]
        picture = read_item(self.data, item.uses[0])
        (camera,) = self.other_views(item)
        view = inversions.head(method, picture).views(camera)
        kind = "white-" if self.settings.foreground else ""
        key = key_of(inversions.key(method, picture), sorted(self._extractors))
        path = self.folder / f"{kind}{key}-{place}-of-{len(self.items)}.safetensors"
        image = on_white(view) if self.settings.foreground else view.image
        write_tensors(path, features_of(self._extractors, image), {"item": item.id})
        return [FeaturesRecord(features=path.name, yaw=math.degrees(float(self.yaws[place])))]

    def other_views(self, item: BenchItem) -> list[Camera]:
        """The camera that sees an item's head."""
        place = self._places[item.id]
        return [around(self._spec, self.yaws[place : place + 1])]

    def numbers(self, origin: RowOrigin, records: Mapping[str, list[CellRecord]]) -> Numbers:
        """Rows of the floor and of all methods, whole and by band, and every two methods compared.

        Intervals of rows are over independent draws of random heads; comparisons are paired (see
        `toolkit.bench.protocols.paired_distances`). Without all random heads there is no number.
        """
        draws = self.precompute.sides() or []
        made = {method: self._made(found) for method, found in records.items()}
        rows = self._floor(origin, draws)
        for method, features in made.items():
            rows += self._rows_of(origin, method, features, draws)
        return Numbers(rows, comparisons=self._comparisons(origin, draws, made) if draws else [])

    def _floor(self, origin: RowOrigin, draws: Sequence[Features]) -> list[Row]:
        """Rows of random heads against other random heads."""
        rows = []
        for band, places in self._bands(range(len(self.items))).items():
            parts = [{name: features[places] for name, features in draw.items()} for draw in draws]
            for name in self._names:
                values = [distance_of(self.metrics, name, a, b) for a, b in itertools.combinations(parts, 2)]
                rows.append(self._row(origin, FLOOR, name, band, values, len(places), 0))
        return rows

    def _rows_of(self, origin: RowOrigin, method: str, made: MethodFeatures, draws: Sequence[Features]) -> list[Row]:
        rows, wanted = [], self._bands(range(len(self.items)))
        for band, places in self._bands(made.places).items():
            parts = [{name: features[places] for name, features in draw.items()} for draw in draws]
            mine = made.part(places)
            for name in self._names:
                values = [distance_of(self.metrics, name, part, mine) for part in parts if len(places) > 1]
                failed = len(wanted[band]) - len(places)
                rows.append(self._row(origin, method, name, band, values, len(places), failed))
        return rows

    def _comparisons(
        self, origin: RowOrigin, draws: Sequence[Features], made: Mapping[str, MethodFeatures]
    ) -> list[Difference]:
        subjects, found = [item.subject for item in self.items], []
        for name in self._names:
            paired = PairedDistances(self.metrics, name, draws, made, subjects, origin.seed)
            for band, places in self._bands(range(len(self.items))).items():
                for first, second in itertools.combinations(made, 2):
                    gap = paired.difference(first, second, places)
                    if gap is not None:
                        found.append(as_difference(origin, _label(name, band), first, second, gap))
        return found

    def _bands(self, places: Sequence[int]) -> dict[str, list[int]]:
        """The places within each band of yaw, the whole under the empty name; bands too small to tell are left out."""
        found = {"": list(places)}
        for band, (low, high) in BANDS.items():
            inside = [place for place in range(len(self.items)) if low <= self._turned(place) < high]
            if len(inside) > 1:
                found[band] = [place for place in places if place in set(inside)]
        return found

    def _turned(self, place: int) -> float:
        return abs(math.degrees(float(self.yaws[place])))

    def _row(
        self, origin: RowOrigin, method: str, name: str, band: str, values: list[float], used: int, failed: int
    ) -> Row:
        known = [value for value in values if math.isfinite(value)]
        if not known:
            used, failed = 0, used + failed
        mean = math.fsum(known) / len(known) if known else None
        low, high = (float(end) for end in np.percentile(known, _LEVELS)) if known else (None, None)
        metric, label = self.metrics.samples[name], _label(name, band)
        return make_row(origin, method, label, metric, value=mean, low=low, high=high, n=used, failed=failed)

    def _made(self, records: Sequence[CellRecord]) -> MethodFeatures:
        places, parts = [], defaultdict(list)
        for record in sorted(records, key=lambda record: self._places[record.item]):
            if record.error is None:
                tensors, _ = read_tensors(self.folder / record.features[0].features)
                places.append(self._places[record.item])
                for name in self._extractors:
                    parts[name].append(tensors[name])
        empty = torch.zeros(0, 0)
        return MethodFeatures(places, {name: torch.cat(parts[name]) if places else empty for name in self._extractors})


def on_white(view: Views) -> Tensor:
    """A view's image [1, 3, S, S] on white.

    Raises:
        UnitError: Whoever made the view told no mask.
    """
    if view.mask is None:
        raise UnitError("score", "foreground=true needs the opacity of a view, which renders made elsewhere have not")
    return whitened(view.image, view.mask)


def _label(name: str, band: str) -> str:
    return f"{name}@{band}" if band else name


def spread_yaws(count: int, seed: int) -> Tensor:
    """Yaws [count] in radians, evenly spread over the circle (no two alike), in an order shuffled by the seed."""
    even = -math.pi + 2 * math.pi * (torch.arange(count) + 0.5) / count
    return even[torch.randperm(count, generator=torch.Generator().manual_seed(seed))]
