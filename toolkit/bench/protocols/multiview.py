"""Protocol `multiview`: the frontal picture of a subject is inverted and compared with its other pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from toolkit.bench.protocols.base import BenchProtocol, Numbers, ProtocolContext
from toolkit.bench.protocols.features import DISTANCES, distance_of, extractors_of, features_by_group, features_of_each
from toolkit.bench.protocols.metric_inputs import MetricInputs
from toolkit.bench.protocols.rows import RowOrigin, make_row, paired_rows
from toolkit.bench.protocols.scoring import no_score
from toolkit.bench.protocols.scoring_together import score_all
from toolkit.bench.records.schema import Row
from toolkit.bench.records.store import key_of
from toolkit.bench.records.units import CellRecord, FeaturesRecord, Scores
from toolkit.bench.subjects.inputs import (
    TARGET_CAMERAS,
    BenchItem,
    input_pictures,
    nearest,
    pictures_by_subject,
    read_item,
    turn,
    yaws_of,
)
from toolkit.bench.subjects.inversions import Inversions
from toolkit.bench.subjects.methods import ComparedMethod, UnitError
from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit.interfaces import Item
from toolkit.metrics.remembered import REMEMBERED
from toolkit.tensors import write_tensors


class MultiView(BenchProtocol):
    """Items are subjects; which side a picture shows is taken from its camera, not from its name."""

    starts = (0.0,)

    def __init__(self, context: ProtocolContext) -> None:
        """Find each subject's input and targets.

        Raises:
            InputError: No subject has a picture at the input yaw and one at a target yaw.
        """
        self._yaws = yaws_of(context.data)
        self._extractors = extractors_of(context.metrics)
        self._absent: Counter[str] = Counter()
        """Targets that no picture is near enough to, by group; they count as failed."""
        super().__init__(context)

    def find_items(self, limit: int | None) -> list[BenchItem]:
        """Each subject's input with its targets."""
        data, subjects = self.data, pictures_by_subject(self.data)
        items = []
        for index in input_pictures(data, self.settings, self.inputs, limit, self.draw) if subjects else []:
            subject = data.subjects[index]
            if subject is not None:
                targets, absent = self._targets(subjects[subject], index)
                self._absent.update(absent)
                if targets:
                    items.append(BenchItem(data.names[index], subject, len(targets), (index, *targets)))
        if not items:
            wanted = ", ".join(f"{yaw:g}" for yaw in self.settings.target_yaws)
            raise InputError(
                f"{self.settings.title} needs subjects (subjects.json) with a frontal picture and others within "
                f"{self.settings.yaw_tolerance:g} degrees of yaw {wanted}; {data.path} has none"
            )
        return items

    @property
    def choices(self) -> dict[str, Any]:
        """Where renders are seen from, and how distributions are compared."""
        return {"target_cameras": TARGET_CAMERAS, "distances": DISTANCES}

    def measure(self, method: ComparedMethod, item: BenchItem, inversions: Inversions) -> Scores:
        """Scores of one method on one subject, as `metric@yaw_<degrees>`, and features of renders and targets.

        Raises:
            UnitError: The input cannot be read or the method fails.
        """
        start, *indices = item.uses
        source = read_item(self.data, start)
        head = inversions.head(method, source)
        targets, scores = self._read(indices)
        if not targets:
            return scores
        images = head.views(Camera(torch.cat([target.camera.label for target in targets.values()]))).image
        truth = torch.stack([target.image for target in targets.values()])
        inputs = [
            MetricInputs(images[place : place + 1], target.image[None], target.camera)
            for place, target in enumerate(targets.values())
        ]
        for index, found in zip(targets, score_all(self.metrics, inputs), strict=True):
            scores += [each.model_copy(update={"metric": f"{each.metric}@{self._group(index)}"}) for each in found]
        if self._extractors:
            key = key_of(inversions.key(method, source), sorted(self._extractors))
            scores += self._keep_features(key, images, truth.to(images.device), targets)
        return scores

    def _read(self, indices: list[int]) -> tuple[dict[int, Item], Scores]:
        """The targets by index, and a failure of every paired metric for each that cannot be read."""
        targets: dict[int, Item] = {}
        lost: Scores = []
        for index in indices:
            try:
                targets[index] = read_item(self.data, index)
            except UnitError as error:
                about = {"target": self.data.names[index], "error": str(error)}
                lost += [no_score(f"{name}@{self._group(index)}").model_copy(update=about) for name in self._paired]
        return targets, lost

    def numbers(self, origin: RowOrigin, records: Mapping[str, list[CellRecord]]) -> Numbers:
        """Rows of all methods; distances of distributions between renders and pictures have no interval."""
        rows: list[Row] = []
        samples = {name: self.metrics.samples[name] for name in self._paired}
        for method, each in records.items():
            found = paired_rows(origin, method, self.items, each, samples, self._asked) if samples else []
            rows += [row.model_copy(update={"failed": row.failed + self._missing(row.metric)}) for row in found]
            rows += self._distances(origin, method, each)
        return Numbers(rows)

    @property
    def _paired(self) -> list[str]:
        return [name for name in self.metrics.samples if name not in self.metrics.distributions]

    def _targets(self, pictures: list[int], start: int) -> tuple[list[int], list[str]]:
        """Pictures to compare with, and the groups of the asked yaws that have none."""
        others = [index for index in pictures if index != start]
        found: dict[int, None] = {}
        absent = []
        for yaw in self.settings.target_yaws:
            index = nearest(others, self._yaws, yaw, self.settings.yaw_tolerance) if others else None
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
        return _group_of(min(self.settings.target_yaws, key=lambda yaw: turn(self._yaws[index], yaw)))

    def _asked(self, item: BenchItem, label: str) -> int:
        """How many of an item's targets a label speaks of."""
        return sum(label.endswith(f"@{self._group(index)}") for index in item.uses[1:]) or len(item.uses) - 1

    def _keep_features(self, key: str, images: Tensor, truth: Tensor, targets: Mapping[int, Item]) -> Scores:
        """Write down features of renders and targets; those of targets are the same for every method."""
        made = features_of_each(self._extractors, images)
        real: list[dict[str, Tensor]] = REMEMBERED.get(
            self, truth, lambda each: features_of_each(self._extractors, each), *sorted(self._extractors)
        )
        records: Scores = []
        for (index, target), mine, theirs in zip(targets.items(), made, real, strict=True):
            name = f"{key}-view-{index}.safetensors"
            tensors = {f"made.{name}": value for name, value in mine.items()}
            tensors |= {f"real.{name}": value for name, value in theirs.items()}
            write_tensors(self.folder / name, tensors, {"target": target.id})
            records.append(FeaturesRecord(metric=None, features=name, group=self._group(index)))
        return records

    def _distances(self, origin: RowOrigin, method: str, records: list[CellRecord]) -> list[Row]:
        """A row per metric of distributions and group of targets."""
        kept = features_by_group(self.folder, records)
        expected = Counter(self._group(index) for item in self.items for index in item.uses[1:])
        rows = []
        for name in self.metrics.distributions:
            for group in sorted(expected):
                sides = [
                    {key: torch.cat(kept[group][f"{side}.{key}"]) for key in self._extractors
                     if kept[group][f"{side}.{key}"]}
                    for side in ("real", "made")
                ]  # fmt: skip
                used = min((len(features) for side in sides for features in side.values()), default=0)
                distance = distance_of(self.metrics, name, *sides) if used > 1 else None
                failed = expected[group] - used + self._absent[group]
                metric, label = self.metrics.samples[name], f"{name}@{group}"
                rows.append(
                    make_row(origin, method, label, metric, value=distance, low=None, high=None, n=used, failed=failed)
                )
        return rows


def _group_of(yaw: float) -> str:
    return f"yaw_{abs(yaw):g}"
