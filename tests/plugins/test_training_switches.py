"""`engine.precision` and `engine.accumulate` in every encoder's training."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from encoder_training import CLASSES, tiny_job

from toolkit.testing.spherical import SphericalGenerator


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("switch", ["engine.precision=bf16", "engine.accumulate=2"])
@pytest.mark.parametrize("kind", CLASSES)
def test_losses_are_nearly_those_without_the_switch(
    kind: str, switch: str, photo_folder: Path, spherical: SphericalGenerator
) -> None:
    jobs = [tiny_job(kind, photo_folder, spherical, *more) for more in ((), (switch,))]
    for step in range(jobs[0].steps):
        found = []
        for job in jobs:
            torch.manual_seed(step)
            found.append(job.training_step(job.batch(step), step))
        assert found[0].keys() == found[1].keys()
        for name, value in found[0].items():
            assert math.isfinite(found[1][name])
            assert found[1][name] == pytest.approx(value, rel=0.25, abs=0.05), name
