"""Protocol `fid360`: random heads against inversions, both seen once each from yaws all around."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from toolkit.bench.execution.work import Numbers
from toolkit.bench.protocols.features import DISTANCES, distance_of, distribution_names, extractors_of, features_of
from toolkit.bench.protocols.paired_distances import Made, PairedDistances
from toolkit.bench.protocols.protocol import BenchProtocol
from toolkit.bench.protocols.random_heads import RandomHeads, Side
from toolkit.bench.protocols.rows import Cell, Frame, make_row
from toolkit.bench.protocols.scoring import OpenMetrics
from toolkit.bench.records.store import Record
from toolkit.bench.subjects.inputs import read_item, single_cells
from toolkit.bench.subjects.inversions import Contender, Inversions
from toolkit.camera import Camera
from toolkit.data import ImageFolder
from toolkit.errors import InputError
from toolkit.rendering.views import around
from toolkit.weights.tensors import read_tensors, write_tensors

if TYPE_CHECKING:
    from toolkit.interfaces import Generator

FLOOR = "floor"
"""The rows of random heads against other random heads."""
BANDS = {"front": (0.0, 60.0), "side": (60.0, 120.0), "back": (120.0, 180.1)}
"""Ranges of |yaw| in degrees that are also compared alone, as `metric@band`."""
_LEVELS = (2.5, 97.5)


class Fid360:
    """Cells are pictures; cell i of n is seen from the i-th yaw, and so is the i-th random head."""

    def __init__(
        self,
        data: ImageFolder,
        metrics: OpenMetrics,
        limit: int | None,
        protocol: BenchProtocol,
        folder: Path,
        generator: Generator,
    ) -> None:
        """Lay out yaws.

        Raises:
            InputError: No metric of distributions is available, or fewer than two pictures.
        """
        self._names = distribution_names(metrics)
        self._data, self.metrics, self._protocol, self._folder = data, metrics, protocol, folder
        self.cells = single_cells(data, protocol, limit)
        if len(self.cells) < 2:
            raise InputError(
                f"fid360 compares distributions: at least two pictures are needed, got {len(self.cells)}"
            )  # fmt: skip
        self._places = {cell.id: place for place, cell in enumerate(self.cells)}
        self.yaws = spread_yaws(len(self.cells), protocol.seed)
        self._extractors = extractors_of(metrics)
        self._spec = generator.spec
        self.groundwork = RandomHeads(
            generator, self._extractors, folder, yaws=self.yaws, draws=protocol.random_sides, seed=protocol.seed
        )

    @property
    def choices(self) -> dict[str, Any]:
        """Whose random heads, by which cameras, and how distributions are compared."""
        orbit = self._spec.orbit
        return {
            "random_heads": f"z ~ N(0, 1), truncation {self._spec.truncation:g}, mapped by the front camera",
            "cameras": {"radius": orbit.radius, "pivot": orbit.pivot, "focal": orbit.focal, "pitch": orbit.pitch},
            "distances": DISTANCES,
        }

    def measure(self, contender: Contender, cell: Cell, inversions: Inversions, generator: Generator) -> list[Record]:
        """Render one inversion from its yaw and keep its features; the numbers come at the end.

        Raises:
            CellError: The picture cannot be read or the method fails.
        """
        place = self._places[cell.id]
        item = read_item(self._data, cell.uses[0])
        view = inversions.head(contender, item).views(self.camera_of(cell))
        path = self._folder / f"{inversions.key(contender, item)}-{place}-of-{len(self.cells)}.safetensors"
        write_tensors(path, features_of(self._extractors, view.image), {"item": cell.id})
        return [{"features": path.name, "yaw": math.degrees(float(self.yaws[place]))}]

    def camera_of(self, cell: Cell) -> Camera:
        """The camera that sees a cell's head."""
        place = self._places[cell.id]
        return around(self._spec, self.yaws[place : place + 1])

    def holds(self, record: Record) -> bool:
        """Whether the features that a record refers to are still there."""
        return (self._folder / record["scores"][0]["features"]).is_file()

    def numbers(self, frame: Frame, records: dict[str, list[Record]]) -> Numbers:
        """Rows of the floor and of all methods, whole and by band, and every two methods compared.

        Intervals of rows are over independent draws of random heads; comparisons are paired (see
        `toolkit.bench.protocols.paired_distances`). Without all random heads there is no number.
        """
        draws = self.groundwork.sides() or []
        made = {method: self._made(cells) for method, cells in records.items()}
        rows = self._floor(frame, draws)
        for method, found in made.items():
            rows += self._rows_of(frame, method, found, draws)
        return Numbers(rows, comparisons=self._comparisons(frame, draws, made) if draws else [])

    def _floor(self, frame: Frame, draws: Sequence[Side]) -> list[Record]:
        """Rows of random heads against other random heads."""
        rows = []
        for band, places in self._bands(range(len(self.cells))).items():
            parts = [{name: features[places] for name, features in draw.items()} for draw in draws]
            for name in self._names:
                values = [distance_of(self.metrics, name, a, b) for a, b in itertools.combinations(parts, 2)]
                rows.append(self._row(frame, FLOOR, name, band, values, len(places), 0))
        return rows

    def _rows_of(self, frame: Frame, method: str, made: Made, draws: Sequence[Side]) -> list[Record]:
        rows, wanted = [], self._bands(range(len(self.cells)))
        for band, places in self._bands(made.places).items():
            parts = [{name: features[places] for name, features in draw.items()} for draw in draws]
            mine = made.part(places)
            for name in self._names:
                values = [distance_of(self.metrics, name, part, mine) for part in parts if len(places) > 1]
                failed = len(wanted[band]) - len(places)
                rows.append(self._row(frame, method, name, band, values, len(places), failed))
        return rows

    def _comparisons(self, frame: Frame, draws: Sequence[Side], made: Mapping[str, Made]) -> list[Record]:
        subjects, found = [cell.subject for cell in self.cells], []
        origin = {"protocol": frame.protocol, "data": frame.data}
        for name in self._names:
            paired = PairedDistances(self.metrics, name, draws, made, subjects, frame.seed)
            for band, places in self._bands(range(len(self.cells))).items():
                for first, second in itertools.combinations(made, 2):
                    difference = paired.difference(first, second, places)
                    if difference is not None:
                        pair = {"metric": _label(name, band), "first": first, "second": second}
                        found.append({**origin, **pair, **difference})
        return found

    def _bands(self, places: Sequence[int]) -> dict[str, list[int]]:
        """The places within each band of yaw, the whole under the empty name; bands too small to tell are left out."""
        found = {"": list(places)}
        for band, (low, high) in BANDS.items():
            inside = [place for place in range(len(self.cells)) if low <= self._turned(place) < high]
            if len(inside) > 1:
                found[band] = [place for place in places if place in set(inside)]
        return found

    def _turned(self, place: int) -> float:
        return abs(math.degrees(float(self.yaws[place])))

    def _row(
        self, frame: Frame, method: str, name: str, band: str, values: list[float], used: int, failed: int
    ) -> Record:
        known = [value for value in values if math.isfinite(value)]
        if not known:
            used, failed = 0, used + failed
        mean = math.fsum(known) / len(known) if known else None
        low, high = (float(end) for end in np.percentile(known, _LEVELS)) if known else (None, None)
        metric, label = self.metrics.samples[name], _label(name, band)
        return make_row(frame, method, label, metric, value=mean, low=low, high=high, n=used, failed=failed)

    def _made(self, records: list[Record]) -> Made:
        places, parts = [], defaultdict(list)
        for record in sorted(records, key=lambda record: self._places[record["item"]]):
            if record["error"] is None:
                tensors, _ = read_tensors(self._folder / record["scores"][0]["features"])
                places.append(self._places[record["item"]])
                for name in self._extractors:
                    parts[name].append(tensors[name])
        empty = torch.zeros(0, 0)
        return Made(places, {name: torch.cat(parts[name]) if places else empty for name in self._extractors})


def _label(name: str, band: str) -> str:
    return f"{name}@{band}" if band else name


def spread_yaws(count: int, seed: int) -> Tensor:
    """Yaws [count] in radians, evenly spread over the circle (no two alike), in an order shuffled by the seed."""
    even = -math.pi + 2 * math.pi * (torch.arange(count) + 0.5) / count
    return even[torch.randperm(count, generator=torch.Generator().manual_seed(seed))]
