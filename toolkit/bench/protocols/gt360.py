"""Protocol `gt360`: one picture of a subject in, ground truth from all around."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from toolkit.bench.execution.work import Digests, Groundwork, Numbers
from toolkit.bench.protocols.protocol import BenchProtocol
from toolkit.bench.protocols.rows import Cell, Frame, curve_points, paired_rows
from toolkit.bench.protocols.scoring import Evidence, OpenMetrics, Saying, score
from toolkit.bench.records.store import Record, key_of
from toolkit.bench.subjects.heads import Views
from toolkit.bench.subjects.inputs import (
    TARGET_CAMERAS,
    input_pictures,
    pictures_by_subject,
    read_item,
    whole_yaw,
    yaws_of,
)
from toolkit.bench.subjects.inversions import CellError, Contender, Inversions
from toolkit.camera import Camera
from toolkit.data import ImageFolder, resize, resize_depth
from toolkit.errors import InputError
from toolkit.interfaces import Item
from toolkit.metrics import seen_from

if TYPE_CHECKING:
    from toolkit.interfaces import Generator

SMALLEST_PART = 0.04
"""Share of a view's head below which its visible or occluded part says nothing (the rim, seen from behind)."""


class GroundTruth360:
    """Cells are (subject, input view); every picture of the subject is compared with."""

    groundwork: Groundwork | None = None

    def __init__(self, data: ImageFolder, metrics: OpenMetrics, limit: int | None, protocol: BenchProtocol) -> None:
        """Find each subject's input views.

        Raises:
            InputError: The data set names no subjects, or none has a picture at an input yaw and another one.
        """
        self._data, self.metrics, self._protocol = data, metrics, protocol
        self._yaws, self._digests = yaws_of(data), Digests(data)
        subjects = {name: found for name, found in pictures_by_subject(data).items() if len(found) > 1}
        if not subjects:
            raise InputError(f"gt360 needs several pictures of each subject (subjects.json); {data.path} has none")
        self.cells: list[Cell] = []
        for index in input_pictures(data, protocol, limit):
            subject = data.subjects[index]
            if subject in subjects:
                others = subjects[subject]
                self.cells.append(Cell(data.names[index], subject, len(others), (index, *others)))

    @property
    def choices(self) -> dict[str, str]:
        """Where renders are seen from."""
        return {"target_cameras": TARGET_CAMERAS}

    def measure(self, contender: Contender, cell: Cell, inversions: Inversions, generator: Generator) -> list[Record]:
        """Scores of one method on one subject, each with the yaw of its view.

        A picture to compare with that cannot be read counts as failed, for every metric.

        Raises:
            CellError: The input cannot be read or the method fails.
        """
        start, *indices = cell.uses
        source = read_item(self._data, start)
        targets, records = self._read(indices, start)
        head = inversions.head(contender, source)
        if targets:
            views = head.views(Camera(torch.cat([target.camera.label for target in targets.values()])))
            for place, (index, target) in enumerate(targets.items()):
                sayings = score(self.metrics, self._evidence(views.one(place), target, source))
                records += [{**saying.as_json(), **self._tags(index, start)} for saying in sayings]
            self._keep_frames(inversions, inversions.key(contender, source), targets, views.image)
            truth = torch.stack([target.image for target in targets.values()])
            self._keep_frames(inversions, truth_key(cell, self._digests, source.image.shape[-1]), targets, truth)
        return records

    def holds(self, record: Record) -> bool:
        """Whether all pictures could be read; those that could not are tried again."""
        return not any("error" in saying for saying in record["scores"])

    def numbers(self, frame: Frame, records: dict[str, list[Record]]) -> Numbers:
        """Rows of all methods over all views, and the curves per yaw."""
        samples = self.metrics.samples
        rows = [
            row for method, each in records.items() for row in paired_rows(frame, method, self.cells, each, samples)
        ]
        curves = [
            point
            for method, each in records.items()
            for point in curve_points(frame, method, self.cells, each, samples)
        ]
        return Numbers(rows, curves)

    def _read(self, indices: list[int], start: int) -> tuple[dict[int, Item], list[Record]]:
        """The pictures to compare with, by index, and a failure of every metric for each that cannot be read."""
        targets, lost = {}, []
        for index in indices:
            try:
                targets[index] = read_item(self._data, index)
            except CellError as error:
                facts = {**self._tags(index, start), "target": self._data.names[index], "error": str(error)}
                lost += [{**Saying(name, math.nan, 0, 1).as_json(), **facts} for name in self.metrics.samples]
        return targets, lost

    def _tags(self, index: int, start: int) -> Record:
        return {"yaw": whole_yaw(self._yaws[index]), "input_yaw": whole_yaw(self._yaws[start])}

    def _keep_frames(self, inversions: Inversions, key: str, targets: dict[int, Item], images: Tensor) -> None:
        if key not in inversions.frames:
            inversions.frames.write(key, [self._yaws[index] for index in targets], images)

    def _evidence(self, view: Views, target: Item, source: Item) -> Evidence:
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
        return Evidence(view.image, target.image[None], target.camera, regions, depths, kept, masks)

    def _parts(self, depth: Tensor, camera: Camera, source: Item) -> dict[str, Tensor]:
        """The parts of a view's head that the input sees and does not see; slivers are left out."""
        if source.depth is None:
            return {}
        seen = seen_from(depth, camera, source.depth[None], source.camera, self._protocol.occlusion_tolerance)
        parts = {"visible": seen, "occluded": (depth > 0).to(seen) - seen}
        least = max(1.0, SMALLEST_PART * float((depth > 0).sum()))
        return {name: part for name, part in parts.items() if part.sum() >= least}


def truth_key(cell: Cell, digests: Mapping[int, str], size: int) -> str:
    """Under what the true pictures of an input's subject are kept as frames: their files, and their side in pixels."""
    return key_of("truth", [digests[index] for index in sorted(set(cell.uses))], size)
