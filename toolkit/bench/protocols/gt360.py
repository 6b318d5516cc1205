"""Protocol `gt360`: one picture of a subject is inverted and compared with ground truth from all around."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import torch
from torch import Tensor

from toolkit.bench.protocols.base import BenchProtocol, Numbers
from toolkit.bench.protocols.extreme_views import is_extreme, of_extreme_views
from toolkit.bench.protocols.metric_inputs import MetricInputs
from toolkit.bench.protocols.rows import RowOrigin, curve_points, paired_rows
from toolkit.bench.protocols.scoring import no_score
from toolkit.bench.protocols.scoring_together import score_all
from toolkit.bench.records.schema import Row
from toolkit.bench.records.units import CellRecord, ScoreRecord, Scores
from toolkit.bench.subjects.data import Digests
from toolkit.bench.subjects.heads import Views
from toolkit.bench.subjects.inputs import (
    TARGET_CAMERAS,
    BenchItem,
    input_pictures,
    pictures_by_subject,
    read_item,
    truth_key,
    whole_yaw,
    yaws_of,
)
from toolkit.bench.subjects.inversions import Inversions
from toolkit.bench.subjects.methods import ComparedMethod, UnitError
from toolkit.camera import Camera
from toolkit.data import resize, resize_depth
from toolkit.devices import sent
from toolkit.errors import InputError
from toolkit.interfaces import Item
from toolkit.metrics import seen_from

SMALLEST_PART = 0.04
"""Share of a view's head below which its visible or occluded part says nothing (the rim, seen from behind)."""


class GroundTruth360(BenchProtocol):
    """Items are (subject, input view); every picture of the subject is compared with."""

    starts = (0.0,)

    def find_items(self, limit: int | None) -> list[BenchItem]:
        """Each subject's input views.

        Raises:
            InputError: The data set names no subjects, or none has a picture at an input yaw and another one.
        """
        data = self.data
        subjects = {name: found for name, found in pictures_by_subject(data).items() if len(found) > 1}
        if not subjects:
            raise InputError(f"gt360 needs several pictures of each subject (subjects.json); {data.path} has none")
        items = []
        for index in input_pictures(data, self.settings, self.inputs, limit, self.draw):
            subject = data.subjects[index]
            if subject in subjects:
                others = subjects[subject]
                items.append(BenchItem(data.names[index], subject, len(others), (index, *others)))
        return items

    @property
    def choices(self) -> dict[str, str]:
        """Where renders are seen from."""
        return {"target_cameras": TARGET_CAMERAS}

    def measure(self, method: ComparedMethod, item: BenchItem, inversions: Inversions) -> Scores:
        """Scores of one method on one subject, each with the yaw of its view.

        A picture to compare with that cannot be read counts as failed, for every metric.

        Raises:
            UnitError: The input cannot be read or the method fails.
        """
        start, *indices = item.uses
        source = read_item(self.data, start)
        targets, scores = self._read(indices, start)
        head = inversions.head(method, source)
        if targets:
            views = head.views(Camera(torch.cat([target.camera.label for target in targets.values()])))
            known = _on(source, views.image.device)
            inputs = [
                self._metric_inputs(views.one(place), _on(target, views.image.device), known)
                for place, target in enumerate(targets.values())
            ]
            for index, found in zip(targets, score_all(self.metrics, inputs), strict=True):
                scores += [each.model_copy(update=self._yaws_of(index, start)) for each in found]
            self._keep_views(inversions, inversions.key(method, source), targets, views.image)
            truth = torch.stack([target.image for target in targets.values()])
            self._keep_views(inversions, truth_key(item, self._digests, source.image.shape[-1]), targets, truth)
        return [*scores]

    def numbers(self, origin: RowOrigin, records: Mapping[str, list[CellRecord]]) -> Numbers:
        """Rows of all methods over all views and over extreme ones, and the curves per yaw."""
        samples = self.metrics.samples
        curves = [curve_points(origin, method, self.items, each, samples) for method, each in records.items()]
        found = super().numbers(origin, records)
        rows = [*found.rows, *(row for each in records.items() for row in self._extreme_rows(origin, *each))]
        return found._replace(rows=rows, curves=[point for points in curves for point in points])

    def _extreme_rows(self, origin: RowOrigin, method: str, records: list[CellRecord]) -> list[Row]:
        """Rows of a method over extreme views, where a metric has numbers of them."""
        rows = paired_rows(origin, method, self.items, of_extreme_views(records), self.metrics.samples, self._extreme)
        return [row for row in rows if row.value is not None]

    def _extreme(self, item: BenchItem, _: str) -> int:
        """How many extreme views an item is compared with."""
        start, *others = item.uses
        return sum(is_extreme(**self._yaws_of(index, start)) for index in others)

    @functools.cached_property
    def _yaws(self) -> list[float]:
        return yaws_of(self.data)

    @functools.cached_property
    def _digests(self) -> Digests:
        return Digests(self.data)

    def _read(self, indices: list[int], start: int) -> tuple[dict[int, Item], list[ScoreRecord]]:
        """The pictures to compare with, by index, and a failure of every metric for each that cannot be read."""
        targets: dict[int, Item] = {}
        lost: list[ScoreRecord] = []
        for index in indices:
            try:
                targets[index] = read_item(self.data, index)
            except UnitError as error:
                about = {**self._yaws_of(index, start), "target": self.data.names[index], "error": str(error)}
                lost += [no_score(name).model_copy(update=about) for name in self.metrics.samples]
        return targets, lost

    def _yaws_of(self, index: int, start: int) -> dict[str, float]:
        return {"yaw": whole_yaw(self._yaws[index]), "input_yaw": whole_yaw(self._yaws[start])}

    def _keep_views(self, inversions: Inversions, key: str, targets: dict[int, Item], images: Tensor) -> None:
        if key not in inversions.views:
            inversions.views.write(key, [self._yaws[index] for index in targets], images)

    def _metric_inputs(self, view: Views, target: Item, source: Item) -> MetricInputs:
        regions, depth_regions = {}, {}
        depths = masks = None
        if target.mask is not None and view.mask is not None:
            masks = (view.mask, resize(target.mask[None], view.mask.shape[-1]))
        if target.depth is not None and source.depth is not None:
            regions = self._parts(target.depth[None], target.camera, source)
        if target.depth is not None and view.depth is not None and view.mask is not None:
            truth = resize_depth(target.depth[None], view.depth.shape[-1])
            depths = (view.depth, truth)
            both = ((truth > 0) & (view.mask > 0.5)).float()
            depth_regions[""] = both
            for name, part in self._parts(truth, target.camera, source).items():
                depth_regions[name] = part * both
        kept = {name: part for name, part in depth_regions.items() if not name or part.sum() >= 1}
        return MetricInputs(view.image, target.image[None], target.camera, regions, depths, kept, masks)

    def _parts(self, depth: Tensor, camera: Camera, source: Item) -> dict[str, Tensor]:
        """The parts of a view's head that the input sees and does not see; slivers are left out."""
        if source.depth is None:
            return {}
        seen = seen_from(depth, camera, source.depth[None], source.camera, self.settings.occlusion_tolerance)
        parts = {"visible": seen, "occluded": (depth > 0).to(seen) - seen}
        least = max(1.0, SMALLEST_PART * float((depth > 0).sum()))
        return {name: part for name, part in parts.items() if part.sum() >= least}


def _on(item: Item, device: torch.device) -> Item:
    """An item's picture, camera, mask and depth on a device."""
    mask, depth = (None if part is None else sent(part, device) for part in (item.mask, item.depth))
    return dataclasses.replace(
        item, image=sent(item.image, device), camera=item.camera.to(device), mask=mask, depth=depth
    )
