"""Protocol `fid360`: random heads against inversions, both seen once each from yaws all around."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from toolkit.bench.inversions import Contender, Inversions
from toolkit.bench.protocol import BenchProtocol
from toolkit.bench.reconstruction import read_item
from toolkit.bench.rows import Cell, Frame, make_row
from toolkit.bench.scoring import OpenMetrics
from toolkit.bench.store import Record, key_of
from toolkit.data import ImageFolder
from toolkit.errors import InputError, WeightsError
from toolkit.rendering.views import around, device_of
from toolkit.weights.tensors import read_tensors, write_tensors

if TYPE_CHECKING:
    from toolkit.interfaces import Generator

FLOOR = "floor"
"""The rows of random heads against other random heads."""
_BATCH = 4
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
        self._names = check_distributions(metrics)
        self._data, self.metrics, self._protocol, self._folder = data, metrics, protocol, folder
        count = len(data) if limit is None else min(limit, len(data))
        if count < 2:
            raise InputError(f"fid360 compares distributions: at least two pictures are needed, got {count}")
        self.cells = [Cell(data.names[index], data.subjects[index] or data.names[index]) for index in range(count)]
        self.yaws = spread_yaws(count, protocol.seed)
        self._extractors: dict[str, Any] = {}
        for name in self._names:
            extractor = metrics.samples[name].extractor  # type: ignore[attr-defined]  # what 'distribution' metrics have
            self._extractors[extractor.name] = extractor
        self._generator = generator

    def measure(self, contender: Contender, cell: Cell, inversions: Inversions, generator: Generator) -> list[Record]:
        """Render one inversion from its yaw and keep its features; the numbers come at the end.

        Raises:
            CellError: The picture cannot be read or the method fails.
        """
        place = self._data.names.index(cell.id)
        item = read_item(self._data, place)
        inversion = inversions.get(contender, item)
        view = inversion.render(generator, around(generator.spec, self.yaws[place : place + 1]))
        path = self._folder / f"{inversions.key(contender, item)}-{place}-of-{len(self.cells)}.safetensors"
        write_tensors(path, self._features(view.image), {"item": cell.id})
        return [{"features": path.name, "yaw": math.degrees(float(self.yaws[place]))}]

    def holds(self, record: Record) -> bool:
        """Whether the features that a record refers to are still there."""
        return (self._folder / record["scores"][0]["features"]).is_file()

    def rows(self, frame: Frame, records: dict[str, list[Record]]) -> tuple[list[Record], list[Record]]:
        """Rows of the floor and of all methods; the interval is over independent draws of random heads."""
        sides = [self._random_side(self._generator, number) for number in range(self._protocol.random_sides)]
        everything = range(len(self.cells))
        pairs = [(a, b) for index, a in enumerate(sides) for b in sides[index + 1 :]]
        rows = []
        for name in self._names:
            values = [self._distance(name, first, second, everything) for first, second in pairs]
            rows.append(self._row(frame, FLOOR, name, values, len(self.cells), 0))
        for method, cells in records.items():
            made, places = self._inverted(cells)
            for name in self._names:
                values = [self._distance(name, side, made, places) for side in sides] if len(places) > 1 else []
                rows.append(self._row(frame, method, name, values, len(places), len(self.cells) - len(places)))
        return rows, []

    def _row(self, frame: Frame, method: str, name: str, values: list[float], used: int, failed: int) -> Record:
        known = [value for value in values if math.isfinite(value)]
        mean = math.fsum(known) / len(known) if known else None
        low, high = (float(end) for end in np.percentile(known, _LEVELS)) if known else (None, None)
        metric = self.metrics.samples[name]
        return make_row(frame, method, name, metric, value=mean, low=low, high=high, n=used, failed=failed)

    def _distance(self, name: str, real: dict[str, Tensor], made: dict[str, Tensor], places: Any) -> float:
        """Distance between random heads at these places and the made side (whole, where it is a random side too)."""
        metric: Any = self.metrics.factories[name]()
        key, chosen = metric.extractor.name, list(places)
        metric.update_features(real[key][chosen], True)
        metric.update_features(made[key], False)
        return float(metric.compute().value)

    def _inverted(self, records: list[Record]) -> tuple[dict[str, Tensor], list[int]]:
        places, parts = [], defaultdict(list)
        order = {cell.id: place for place, cell in enumerate(self.cells)}
        for record in sorted(records, key=lambda record: order[record["item"]]):
            if record["error"] is None:
                tensors, _ = read_tensors(self._folder / record["scores"][0]["features"])
                places.append(order[record["item"]])
                for name in self._extractors:
                    parts[name].append(tensors[name])
        return {name: torch.cat(found) for name, found in parts.items()}, places

    def _random_side(self, generator: Generator, number: int) -> dict[str, Tensor]:
        """Features [n, size] by extractor of n random heads, each from its yaw; kept for the next time."""
        spec, count = generator.spec, len(self.cells)
        key = key_of("random", spec.fingerprint, count, self._protocol.seed, number, sorted(self._extractors))
        path = self._folder / f"random-{key}.safetensors"
        try:
            return read_tensors(path)[0]
        except WeightsError:
            pass  # not there yet, or torn
        source = torch.Generator().manual_seed(1_000_003 * (self._protocol.seed + 1) + number)
        z = torch.randn(count, spec.latents.z_dim, generator=source)
        device, parts = device_of(generator), defaultdict(list)
        for start in range(0, count, _BATCH):
            part = slice(start, start + _BATCH)
            with torch.no_grad():
                ws = generator.mapping(z[part].to(device), spec.front_camera.to(device), spec.truncation)
                camera = around(spec, self.yaws[part]).to(device)
                image = generator.render(generator.planes(ws), ws, camera).image
            for name, features in self._features(image).items():
                parts[name].append(features)
        whole = {name: torch.cat(found) for name, found in parts.items()}
        write_tensors(path, whole, {"heads": count, "draw": number})
        return whole

    def _features(self, image: Tensor) -> dict[str, Tensor]:
        """Features of images [B, 3, S, S], rounded to 8 bit as saved files are."""
        levels = ((image.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
        with torch.no_grad():
            return {name: extractor.features(levels).float().cpu() for name, extractor in self._extractors.items()}


def check_distributions(metrics: OpenMetrics) -> list[str]:
    """Names of the metrics that compare distributions.

    Raises:
        InputError: None is available; the sentence says why.
    """
    names = metrics.taking("distribution")
    if not names:
        by_reason: dict[str, list[str]] = defaultdict(list)
        for name, reason in metrics.unavailable.items():
            by_reason[reason].append(name)
        reasons = [f"{', '.join(found)}: {reason}" for reason, found in by_reason.items()]
        why = "; ".join(reasons) or "no such metric is installed for this backend"
        raise InputError(f"fid360 has no network to compare distributions with ({why})")
    return names


def spread_yaws(count: int, seed: int) -> Tensor:
    """Yaws [count] in radians, evenly spread over the circle (no two alike), in an order shuffled by the seed."""
    even = -math.pi + 2 * math.pi * (torch.arange(count) + 0.5) / count
    return even[torch.randperm(count, generator=torch.Generator().manual_seed(seed))]
