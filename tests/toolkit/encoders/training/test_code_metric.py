"""Errors of codes measured by what shows: the average head counts 1, what nobody sees counts nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from toolkit.encoders.training.code_metric import CodeMetric, kept_code_metric, measure_code_metric
from toolkit.latents import map_styles, random_latents
from toolkit.testing.spherical import SphericalGenerator


@pytest.fixture(scope="module")
def metric(spherical: SphericalGenerator) -> CodeMetric:
    return measure_code_metric(spherical, heads=200, side=8)


def codes(generator: SphericalGenerator, heads: int) -> Tensor:
    return map_styles(generator, random_latents(generator, heads)[:, None])


def test_the_average_head_has_an_error_of_one(spherical: SphericalGenerator, metric: CodeMetric) -> None:
    ws = codes(spherical, 200)
    assert metric.error(ws - ws.mean(0)).item() == pytest.approx(1, rel=1e-3)
    assert metric.error(torch.zeros_like(ws)).item() == 0


@torch.no_grad()
def test_what_counts_much_changes_pictures_much(spherical: SphericalGenerator, metric: CodeMetric) -> None:
    middle = codes(spherical, 200).mean(0, keepdim=True)
    front = spherical.spec.front_camera

    def change(direction: Tensor) -> float:
        moved = middle + 0.05 * direction / direction.norm()
        views = [spherical.render(spherical.planes(ws), ws, front, 16).raw for ws in (middle, moved)]
        return float((views[1] - views[0]).square().mean())

    axes, strengths, _ = torch.linalg.svd(metric.directions)
    assert strengths[0] > 2 * strengths[-1]
    assert change(axes[:, 0]) > 2 * change(axes[:, len(strengths) - 1])


def test_it_is_measured_once_and_kept(
    spherical: SphericalGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path))
    monkeypatch.setattr("toolkit.encoders.training.code_metric.HEADS", 16)
    first = kept_code_metric(spherical)
    monkeypatch.setattr("toolkit.encoders.training.code_metric.measure_code_metric", lambda *_: pytest.fail("again"))
    assert torch.equal(kept_code_metric(spherical).directions, first.directions)
