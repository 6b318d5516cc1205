"""Which weights of an encoder's training are the best, and that every shipped configuration keeps them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[3]))
from encoder_training import CLASSES, STAGES, tiny_job

from toolkit.configuration import config_path, load_config
from toolkit.testing.spherical import SphericalGenerator
from toolkit.training import train

SCORES = {1: 9.0, 2: 8.0, 3: 5.0, 4: 4.0}
"""psnr by steps done: two of the codes' stage, two of the images'."""
EVERY = ("cadence.best=psnr", "cadence.best_is=highest", "cadence.evaluate_every=1", "cadence.keep=1")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))


def test_the_best_of_the_last_stage_is_kept_with_its_checkpoint(
    photo_folder: Path, spherical: SphericalGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for out, steps in (("run", 3), ("short", 3), ("run", None)):
        job = tiny_job("psp", photo_folder, spherical, *EVERY, steps=2)
        monkeypatch.setattr(job, "evaluate", lambda step: {"psnr": SCORES[step]})
        train(job, tmp_path / out, max_steps=steps, resume=steps is None)
    assert {path.stem for path in (tmp_path / "run" / "checkpoints").iterdir()} == {"step-00000003", "step-00000004"}
    files = "run/best.safetensors", "run/weights.safetensors", "short/weights.safetensors"
    best, last, third = (load_file(tmp_path / name) for name in files)
    assert all(value.equal(third[name]) for name, value in best.items())
    assert not all(value.equal(last[name]) for name, value in best.items())


@pytest.mark.parametrize("kind", CLASSES)
def test_a_part_of_the_training_is_a_stage(kind: str, photo_folder: Path, spherical: SphericalGenerator) -> None:
    job = tiny_job(kind, photo_folder, spherical, steps=2)
    stages = [name.replace(".", "/") for name in STAGES[kind]]
    assert [job.part_of(step) for step in range(job.steps)] == [name for name in stages for _ in range(2)]


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("scale", ["", "-panohead"])
def test_shipped_configurations_keep_the_best_by_a_score_there_is(
    kind: str, scale: str, photo_folder: Path, spherical: SphericalGenerator
) -> None:
    module, _, model = CLASSES[kind]
    settings = getattr(importlib.import_module(f"toolkit_plugins.{module}"), model)
    cadence = load_config(settings, config_path(f"training/{kind}{scale}"), []).cadence
    job = tiny_job("psp", photo_folder, spherical)
    assert (cadence.best, cadence.best_is) == ("psnr", "highest") and "psnr" in job.evaluate(1)
