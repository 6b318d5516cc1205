"""Protocol `gt360`: one picture of a subject in, ground truth from all around."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from toolkit.bench.inversions import Contender, Inversions
from toolkit.bench.protocol import BenchProtocol
from toolkit.bench.reconstruction import read_item
from toolkit.bench.rows import Cell, Frame, curve_points, paired_rows
from toolkit.bench.scoring import Evidence, OpenMetrics, score
from toolkit.bench.store import Record
from toolkit.camera import Camera
from toolkit.data import ImageFolder, resize, resize_depth
from toolkit.errors import InputError
from toolkit.interfaces import Item, Render
from toolkit.metrics import seen_from
from toolkit.rendering.views import render_views

if TYPE_CHECKING:
    from toolkit.interfaces import Generator

SMALLEST_PART = 0.04
"""Share of a view's head below which its visible or occluded part says nothing (the rim, seen from behind)."""


class GroundTruth360:
    """Cells are (subject, input view); every picture of the subject is compared with."""

    def __init__(self, data: ImageFolder, metrics: OpenMetrics, limit: int | None, protocol: BenchProtocol) -> None:
        """Find each subject's input views.

        Raises:
            InputError: The data set names no subjects, or none has a picture at an input yaw and another one.
        """
        self._data, self.metrics, self._protocol = data, metrics, protocol
        self._yaws = [math.degrees(yaw) for yaw in data.cameras.angles().yaw.tolist()]
        self._pictures: dict[str, list[int]] = defaultdict(list)
        for index, subject in enumerate(data.subjects):
            if subject is not None:
                self._pictures[subject].append(index)
        self._inputs: dict[str, int] = {}
        self.cells: list[Cell] = []
        for subject in list(self._pictures)[:limit]:
            for yaw in protocol.input_yaws:
                start = self._nearest(subject, yaw)
                if start is not None and len(self._pictures[subject]) > 1:
                    self._inputs[data.names[start]] = start
                    self.cells.append(Cell(data.names[start], subject, len(self._pictures[subject])))
        if not self.cells:
            raise InputError(
                f"gt360 needs several pictures of each subject (subjects.json), one of them within "
                f"{protocol.yaw_tolerance:g} degrees of yaw {', '.join(f'{yaw:g}' for yaw in protocol.input_yaws)}; "
                f"{data.path} has none"
            )

    def measure(self, contender: Contender, cell: Cell, inversions: Inversions, generator: Generator) -> list[Record]:
        """Scores of one method on one subject, each with the yaw of its view.

        Raises:
            CellError: The input cannot be read or the method fails.
        """
        start = self._inputs[cell.id]
        source = read_item(self._data, start)
        indices = self._pictures[cell.subject]
        targets = [read_item(self._data, index) for index in indices]
        inversion = inversions.get(contender, source)
        cameras = Camera(torch.cat([target.camera.label for target in targets]))
        shown = inversion.tuned_generator(generator)
        views = render_views(shown, inversion.planes, inversion.ws, cameras)
        records: list[Record] = []
        for place, (index, target) in enumerate(zip(indices, targets, strict=True)):
            view = Render(*(part[place : place + 1] for part in views))
            sayings = score(self.metrics, self._evidence(view, target, source))
            tags = {"yaw": _rounded(self._yaws[index]), "input_yaw": _rounded(self._yaws[start])}
            records += [{**saying.as_json(), **tags} for saying in sayings]
        return records

    def holds(self, record: Record) -> bool:
        """Records of this protocol refer to no files."""
        return True

    def rows(self, frame: Frame, records: dict[str, list[Record]]) -> tuple[list[Record], list[Record]]:
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
        return rows, curves

    def _nearest(self, subject: str, yaw: float) -> int | None:
        best = min(self._pictures[subject], key=lambda index: _turn(self._yaws[index], yaw))
        return best if _turn(self._yaws[best], yaw) <= self._protocol.yaw_tolerance else None

    def _evidence(self, view: Render, target: Item, source: Item) -> Evidence:
        side = view.depth.shape[-1]
        regions, depth_regions = {}, {}
        depths = masks = None
        if target.mask is not None:
            masks = (view.mask, resize(target.mask[None], side))
        if target.depth is not None:
            truth = resize_depth(target.depth[None], side)
            depths = (view.depth, truth)
            both = ((truth > 0) & (view.mask > 0.5)).float()
            depth_regions[""] = both
            if source.depth is not None:
                regions = self._parts(target.depth[None], target.camera, source)
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


def _turn(first: float, second: float) -> float:
    """Angle between two yaws in degrees, 0 to 180."""
    return abs((first - second + 180) % 360 - 180)


def _rounded(yaw: float) -> float:
    """A yaw in whole degrees, -179 to 180: curves of several subjects meet there."""
    whole = round(yaw)
    return float(180 if whole == -180 else whole)
