from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from toolkit.bench.protocols.scoring import MetricInputs, OpenMetrics, open_metrics, score
from toolkit.bench.protocols.scoring_together import score_all
from toolkit.camera import Camera
from toolkit.metrics import MeanMetric
from toolkit.registry import default_registry

SIDE = 64
YAWS = (0.0, 0.4, 1.5, 3.1)
NAMES = (
    "l2",
    "psnr",
    "ssim",
    "lpips_lite",
    "id_dlib",
    "depth_error",
    "depth_error_scale_free",
    "mask_iou",
    "psnr_aligned",
)


def comparisons() -> list[MetricInputs]:
    """Views from the front to the back, the last of which has no occluded part and shows no face."""
    source = torch.Generator().manual_seed(0)
    found = []
    for number, yaw in enumerate(YAWS):
        target = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8, generator=source) * 2 - 1, SIDE, mode="bicubic")
        image = (target + 0.3 * torch.randn(target.shape, generator=source)).clamp(-1, 1)
        depth = 2 + torch.rand(1, 1, SIDE, SIDE, generator=source)
        half = torch.zeros(1, 1, SIDE, SIDE)
        half[..., : SIDE // 2] = 1
        regions = {"visible": half} | ({"occluded": 1 - half} if number < 3 else {})
        found.append(
            MetricInputs(
                image, target, Camera.orbit(torch.tensor([yaw])), regions, (depth + 0.1, depth),
                {"": torch.ones_like(half), **regions}, (half, torch.ones_like(half)),
            )
        )  # fmt: skip
    return found


class Fragile(MeanMetric):
    """Cannot score several pictures at once, nor a fair picture."""

    name, direction, takes = "fragile", "lower", "pair"

    def score(self, image: Tensor, target: Tensor) -> Tensor:
        if len(image) > 1:
            raise RuntimeError("out of memory")
        return (image - target).abs().mean((1, 2, 3))


def test_in_batches_every_metric_says_what_it_says_of_each_picture_alone() -> None:
    assert set(NAMES) <= {name for kind, name in default_registry().registrations if kind == "metric"}
    metrics = open_metrics(NAMES, "embedded", "embedded", SIDE)
    assert not metrics.unavailable
    inputs = comparisons()
    for batch in (3, 16):
        alone_each = [score(metrics, each) for each in inputs]
        for one, together in zip(alone_each, score_all(metrics, inputs, batch), strict=True):
            assert [each.metric for each in one] == [each.metric for each in together]
            for alone, among in zip(one, together, strict=True):
                assert (alone.used, alone.failed) == (among.used, among.failed), alone.metric
                if alone.used:
                    assert among.value == pytest.approx(alone.value, rel=1e-5, abs=1e-6), alone.metric
                else:
                    assert among.value is None or math.isnan(among.value)


def test_a_metric_that_fails_on_a_batch_is_asked_one_by_one() -> None:
    metrics = OpenMetrics({"fragile": Fragile}, {"fragile": Fragile()}, {})
    found = score_all(metrics, comparisons(), 4)
    expected = [score(metrics, each) for each in comparisons()]
    assert found == expected and found[0][0].used == 1


def test_on_a_cpu_pictures_are_scored_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def noted(self: Fragile, image: Tensor, target: Tensor) -> Tensor:
        sizes.append(len(image))
        return image.mean((1, 2, 3))

    monkeypatch.setattr(Fragile, "score", noted)
    metrics = OpenMetrics({"fragile": Fragile}, {"fragile": Fragile()}, {})
    score_all(metrics, comparisons())
    score_all(metrics, comparisons(), 3)
    assert sizes == [1, 1, 1, 1, 3, 1]


def test_a_strangers_metric_gets_each_picture_alone_and_on_the_cpu() -> None:
    seen: list[Any] = []

    class Strange(Fragile):
        def score(self, image: Tensor, target: Tensor) -> Tensor:
            seen.append(image)
            image.zero_()
            return torch.zeros(len(image))

    entry = next(
        entry for (kind, name), entry in default_registry().registrations.items() if (kind, name) == ("metric", "l2")
    )
    metrics = OpenMetrics({"strange": Strange}, {"strange": Strange()}, {}, {"strange": entry})
    inputs = comparisons()
    score_all(metrics, inputs, 4)
    assert [len(each) for each in seen] == [1, 1, 1, 1] and all(each.image.abs().sum() > 0 for each in inputs)
