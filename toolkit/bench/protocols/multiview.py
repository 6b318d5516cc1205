"""Protocol `multiview`: the frontal picture of a subject in, its pictures from other sides compared with."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from toolkit.bench.execution.work import Groundwork, Numbers
from toolkit.bench.protocols.features import DISTANCES, distance_of, extractors_of, features_of
from toolkit.bench.protocols.protocol import BenchProtocol
from toolkit.bench.protocols.rows import Cell, Frame, make_row, paired_rows
from toolkit.bench.protocols.scoring import Evidence, OpenMetrics, Saying, score
from toolkit.bench.records.store import Record
from toolkit.bench.subjects.inputs import (
    TARGET_CAMERAS,
    input_pictures,
    nearest,
    pictures_by_subject,
    read_item,
    turn,
    yaws_of,
)
from toolkit.bench.subjects.inversions import CellError, Contender, Inversions
from toolkit.camera import Camera
from toolkit.data import ImageFolder
from toolkit.errors import InputError
from toolkit.interfaces import Item
from toolkit.weights.tensors import read_tensors, write_tensors

if TYPE_CHECKING:
    from toolkit.interfaces import Generator


class MultiView:
    """Cells are subjects; which side a picture shows is taken from its camera, not from its name."""

    groundwork: Groundwork | None = None

    def __init__(
        self, data: ImageFolder, metrics: OpenMetrics, limit: int | None, protocol: BenchProtocol, folder: Path
    ) -> None:
        """Find each subject's input and targets.

        Raises:
            InputError: No subject has a picture at the input yaw and one at a target yaw.
        """
        self._data, self.metrics, self._protocol, self._folder = data, metrics, protocol, folder
        self._yaws = yaws_of(data)
        self._extractors = extractors_of(metrics)
        subjects = pictures_by_subject(data)
        self.cells: list[Cell] = []
        self._absent: Counter[str] = Counter()
        """Targets that no picture is near enough to, by group; they count as failed."""
        for index in input_pictures(data, protocol, limit) if subjects else []:
            subject = data.subjects[index]
            if subject is not None:
                targets, absent = self._targets(subjects[subject], index)
                self._absent.update(absent)
                if targets:
                    self.cells.append(Cell(data.names[index], subject, len(targets), (index, *targets)))
        if not self.cells:
            wanted = ", ".join(f"{yaw:g}" for yaw in protocol.target_yaws)
            raise InputError(
                f"{protocol.title} needs subjects (subjects.json) with a frontal picture and others within "
                f"{protocol.yaw_tolerance:g} degrees of yaw {wanted}; {data.path} has none"
            )

    @property
    def choices(self) -> dict[str, Any]:
        """Where renders are seen from, and how distributions are compared."""
        return {"target_cameras": TARGET_CAMERAS, "distances": DISTANCES}

    def measure(self, contender: Contender, cell: Cell, inversions: Inversions, generator: Generator) -> list[Record]:
        """Scores of one method on one subject, as `metric@yaw_<degrees>`, and features of renders and targets.

        Raises:
            CellError: The input cannot be read or the method fails.
        """
        start, *indices = cell.uses
        source = read_item(self._data, start)
        head = inversions.head(contender, source)
        records: list[Record] = []
        for index in indices:
            group = self._group(index)
            try:
                target = read_item(self._data, index)
            except CellError as error:
                facts = {"target": self._data.names[index], "error": str(error)}
                records += [{**Saying(f"{name}@{group}", math.nan, 0, 1).as_json(), **facts} for name in self._paired]
                continue
            image = head.views(Camera(target.camera.label)).image
            sayings = score(self.metrics, Evidence(image, target.image[None], target.camera))
            records += [{**saying.as_json(), "metric": f"{saying.metric}@{group}"} for saying in sayings]
            if self._extractors:
                name = f"{inversions.key(contender, source)}-view-{index}.safetensors"
                self._keep_features(name, image, target)
                records.append({"metric": None, "features": name, "group": group})
        return records

    def holds(self, record: Record) -> bool:
        """Whether all pictures could be read and the features are still there."""
        return not any(
            "error" in saying or ("features" in saying and not (self._folder / saying["features"]).is_file())
            for saying in record["scores"]
        )

    def numbers(self, frame: Frame, records: dict[str, list[Record]]) -> Numbers:
        """Rows of all methods; distances of distributions between renders and pictures have no interval."""
        rows = []
        for method, each in records.items():
            paired = [{**record, "scores": [s for s in record.get("scores") or [] if s["metric"]]} for record in each]
            samples = {name: self.metrics.samples[name] for name in self._paired}
            found = paired_rows(frame, method, self.cells, paired, samples, self._asked) if samples else []
            rows += [{**row, "failed": row["failed"] + self._missing(row["metric"])} for row in found]
            rows += self._distances(frame, method, each)
        return Numbers(rows)

    @property
    def _paired(self) -> list[str]:
        return [name for name in self.metrics.samples if name not in self.metrics.taking("distribution")]

    def _targets(self, pictures: list[int], start: int) -> tuple[list[int], list[str]]:
        """Pictures to compare with, and the groups of the asked yaws that have none."""
        others = [index for index in pictures if index != start]
        found: dict[int, None] = {}
        absent = []
        for yaw in self._protocol.target_yaws:
            index = nearest(others, self._yaws, yaw, self._protocol.yaw_tolerance) if others else None
            if index is None:
                absent.append(_group_of(yaw))
            else:
                found[index] = None
        return list(found), absent

    def _missing(self, label: str) -> int:
        """How many targets that a label speaks of have no picture."""
        group = label.partition("@")[2]
        return self._absent[group] if group else self._absent.total()

    def _group(self, index: int) -> str:
        """Name of the pool that a target belongs to: the asked yaw that is nearest, without its sign."""
        return _group_of(min(self._protocol.target_yaws, key=lambda yaw: turn(self._yaws[index], yaw)))

    def _asked(self, cell: Cell, label: str) -> int:
        """How many of a cell's targets a label speaks of."""
        return sum(label.endswith(f"@{self._group(index)}") for index in cell.uses[1:]) or len(cell.uses) - 1

    def _keep_features(self, name: str, image: torch.Tensor, target: Item) -> None:
        made = {f"made.{key}": value for key, value in features_of(self._extractors, image).items()}
        real = {f"real.{key}": value for key, value in features_of(self._extractors, target.image[None]).items()}
        write_tensors(self._folder / name, {**made, **real}, {"target": target.id})

    def _distances(self, frame: Frame, method: str, records: list[Record]) -> list[Record]:
        parts: dict[str, dict[str, list[torch.Tensor]]] = defaultdict(lambda: defaultdict(list))
        for record in records:
            for saying in record.get("scores") or []:
                if "features" in saying:
                    tensors, _ = read_tensors(self._folder / saying["features"])
                    for key, value in tensors.items():
                        parts[saying["group"]][key].append(value)
        expected: Counter[str] = Counter()
        for cell in self.cells:
            for index in cell.uses[1:]:
                expected[self._group(index)] += 1
        rows = []
        for name in self.metrics.taking("distribution"):
            for group in sorted(expected):
                found = parts[group]
                sides = [
                    {key: torch.cat(found[f"{side}.{key}"]) for key in self._extractors if found[f"{side}.{key}"]}
                    for side in ("real", "made")
                ]
                used = min((len(features) for side in sides for features in side.values()), default=0)
                distance = distance_of(self.metrics, name, *sides) if used > 1 else None
                rows.append(make_row(frame, method, f"{name}@{group}", self.metrics.samples[name], value=distance,
                                     low=None, high=None, n=used,
                                     failed=expected[group] - used + self._absent[group]))  # fmt: skip
        return rows


def _group_of(yaw: float) -> str:
    return f"yaw_{abs(yaw):g}"
