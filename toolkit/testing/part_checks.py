"""What stitchers, data sets and metrics must keep; each raises `ConformanceError`."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from toolkit.camera import Camera
from toolkit.errors import ToolkitError
from toolkit.interfaces import Dataset, Item, Metric, Stitcher, WritesSample
from toolkit.testing.requirements import require, require_close, require_equal, require_shape


def check_stitcher(stitcher: Stitcher, planes_shape: tuple[int, ...]) -> None:
    """A stitcher takes `visible` where occlusion is 0, `occluded` where it is 1, and passes gradients to all three."""
    require(isinstance(stitcher, Stitcher), "a stitcher must have stitch")
    source = torch.Generator().manual_seed(0)
    visible = torch.randn(2, *planes_shape, generator=source)
    occluded = torch.randn(2, *planes_shape, generator=source)
    zeros, ones = torch.zeros_like(visible), torch.ones_like(visible)
    given = {"visible": (visible, visible.clone()), "occluded": (occluded, occluded.clone())}
    with torch.no_grad():
        require_close(
            stitcher.stitch(visible, occluded, zeros), visible, "stitched planes where nothing is occluded", 1e-5
        )
        require_close(stitcher.stitch(visible, occluded, ones), occluded, "stitched planes where all is occluded", 1e-5)
    for name, (mine, before) in given.items():
        require_equal(mine, before, f"the caller's planes {name!r}")
    leaves = [visible.requires_grad_(), occluded.requires_grad_(), (0.5 * ones).requires_grad_()]
    stitched = stitcher.stitch(*leaves)
    require_shape(stitched, (2, *planes_shape), "stitched planes")
    require(stitched.requires_grad, "no gradient reaches what was stitched")
    gradients = torch.autograd.grad(stitched.square().sum(), leaves, allow_unused=True)
    for name, gradient in zip(("visible", "occluded", "occlusion"), gradients, strict=True):
        require(gradient is not None and bool(gradient.abs().sum() > 0), f"no gradient reaches {name}")


def check_dataset(dataset: Dataset, limit: int = 8) -> None:
    """A data set is map-style and picklable, and its first `limit` items are whole."""
    require(isinstance(dataset, Dataset), "a data set must have __len__ and __getitem__")
    count = min(len(dataset), limit)
    require(count > 0, "the data set is empty")
    twin = pickle.loads(pickle.dumps(dataset))
    require(len(twin) == len(dataset), "an unpickled data set has another length")
    for index in range(count):
        item, other = dataset[index], twin[index]
        _check_item(item, f"item {index}")
        require(item.id == other.id, f"item {index} of an unpickled data set is another one")
        require_equal(item.image, other.image, f"image {index} of an unpickled data set")
        require_equal(item.camera.label, other.camera.label, f"camera {index} of an unpickled data set")
    ids = [dataset[index].id for index in range(count)]
    require(len(set(ids)) == count, "two items have the same id")
    try:
        dataset[len(dataset)]
    except IndexError:
        return
    raise AssertionError("reading behind the end must raise IndexError")


def check_sample(
    owner: WritesSample, open_dataset: Callable[[Path], Dataset], folder: Path, tolerance: float = 0.1
) -> None:
    """What a data set's owner writes is read again: as many pictures, their cameras, and nearly their colours.

    Args:
        owner: Writes the sample.
        open_dataset: The data set's factory.
        folder: Empty.
        tolerance: Mean difference of colours in [-1, 1] that a lossy format may cost.
    """
    source = torch.Generator().manual_seed(0)
    cameras = Camera.orbit(torch.tensor([-0.4, 0.1, 0.5]), 0.05)
    coarse = torch.rand(len(cameras), 3, 4, 4, generator=source) * 2 - 1
    images = torch.nn.functional.interpolate(coarse, size=(64, 64), mode="bilinear")
    written = [
        Item(f"sample{index}.png", image, cameras[index], subject=str(index), view="front")
        for index, image in enumerate(images)
    ]
    dataset = open_dataset(owner.write_sample(folder, written))
    check_dataset(dataset)
    require(len(dataset) == len(written), f"{len(written)} pictures were written, {len(dataset)} are read")
    found = [dataset[index] for index in range(len(dataset))]
    labels = torch.cat([item.camera.label for item in found])
    for item in written:
        apart = (labels - item.camera.label).abs().amax(dim=1)
        require(float(apart.min()) < 1e-3, f"the camera of {item.id} is not read as it was written")
        image = found[int(apart.argmin())].image
        wanted = torch.nn.functional.interpolate(item.image[None], size=image.shape[-2:], mode="bilinear")[0]
        require(float((image - wanted).abs().mean()) < tolerance, f"{item.id} does not look as it was written")


def check_metric(make: Callable[[], Metric], batches: Sequence[tuple[Any, ...]]) -> None:
    """A metric names itself, repeats itself, and merges what two processes saw.

    Args:
        make: Builds a fresh metric.
        batches: Arguments of `update`, at least two of them.
    """
    metric = make()
    require(
        isinstance(metric, Metric), "a metric must have name, direction, unit, backend, takes, update, compute, merge"
    )
    require(bool(metric.name), "a metric's name must not be empty")
    require(metric.direction in ("lower", "higher"), f"direction must be lower or higher, got {metric.direction!r}")
    require(len(batches) >= 2, "check_metric needs at least two batches")
    _check_empty(make())
    for batch in batches:
        metric.update(*batch)
    score, again = metric.compute(), metric.compute()
    require(math.isfinite(score.value), f"the score is {score.value}")
    require(score == again, "computing twice gives two scores")
    require(score.used > 0 and score.failed >= 0, f"used {score.used}, failed {score.failed}")
    first, second = make(), make()
    for index, batch in enumerate(batches):
        (first if index % 2 == 0 else second).update(*batch)
    first.merge(second)
    merged = first.compute()
    close = math.isclose(merged.value, score.value, rel_tol=1e-4, abs_tol=1e-6)
    require(close, f"merged from two processes: {merged.value}, from one: {score.value}")
    require((merged.used, merged.failed) == (score.used, score.failed), "merging lost or invented items")


def _check_empty(metric: Metric) -> None:
    try:
        score = metric.compute()
    except ToolkitError:
        return
    require(score.used == 0, f"a metric that saw nothing says that it used {score.used} items")


def _check_item(item: Item, where: str) -> None:
    require(bool(item.id), f"{where}: its id is empty")
    require(item.image.ndim == 3 and item.image.shape[-1] == item.image.shape[-2], f"{where}: its image is not square")
    side = item.image.shape[-1]
    require_shape(item.image, (3, side, side), f"{where}: its image")
    require(float(item.image.abs().max()) <= 1 + 1e-6, f"{where}: its image must lie in -1..1")
    require(isinstance(item.camera, Camera) and len(item.camera) == 1, f"{where}: its camera must be one Camera")
    item.camera.checked(where)
    if item.mask is not None:
        require_shape(item.mask, (1, side, side), f"{where}: its mask")
        require(float(item.mask.min()) >= 0 and float(item.mask.max()) <= 1, f"{where}: its mask must lie in 0..1")
    if item.depth is not None:
        require_shape(item.depth, (1, side, side), f"{where}: its depth")
        require(float(item.depth.min()) >= 0, f"{where}: its depth must not be negative")
