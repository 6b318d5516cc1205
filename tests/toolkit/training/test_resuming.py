from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolkit.errors import TrainingError
from toolkit.training.checkpoints import check_identity, latest_checkpoint, save_checkpoint
from toolkit.training.resuming import settings_to_resume
from toolkit.training.stepping import EngineSettings, Stepper

OWN = {
    "rate": 1e-4, "windows": [1.0, 0.5], "engine": {"workers": 0, "accumulate": 1, "precision": "fp32"},
    "photos": {"sources": ["a.zip"], "mirror": True}, "generator_weights": None, "cadence": {"log_every": 5},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run.json").write_text(json.dumps({"job": "x", "config": OWN, "sessions": []}))
    return tmp_path


@pytest.mark.parametrize(
    "given",
    ["engine.workers=4", "engine.precision=bf16", "photos.sources=[b.zip, c.zip]", "generator_weights=x.safetensors",
     "cadence.checkpoint_every=7", "cadence={keep: 3}", "rate=0.0001", "windows=[1, 0.5]", "start=a.safetensors"],
)  # fmt: skip
def test_workers_paths_precision_and_cadence_may_change(given: str, folder: Path) -> None:
    assert settings_to_resume(folder, None, [given]) == OWN


@pytest.mark.parametrize(
    ("given", "key"),
    [("rate=0.001", "rate"), ("windows=[1]", "windows"), ("photos.mirror=false", r"photos\.mirror"),
     ("engine.accumulate=2", r"engine\.accumulate")],
)  # fmt: skip
def test_what_changes_the_result_may_not(given: str, key: str, folder: Path) -> None:
    with pytest.raises(TrainingError, match=f"'{key}' was .* leave it out .without --config"):
        settings_to_resume(folder, None, [given])
    (folder / "other.yaml").write_text(json.dumps({"rate": 0.5}))
    with pytest.raises(TrainingError, match="'rate' was"):
        settings_to_resume(folder, folder / "other.yaml", [])


def test_the_command_that_began_a_run_resumes_it(folder: Path) -> None:
    (folder / "began.yaml").write_text(json.dumps({"rate": 0.5, "photos": {"mirror": False}}))
    again = ["rate=0.0001", "photos.mirror=true"]  # what the command changed of its configuration
    settings_to_resume(folder, folder / "began.yaml", again)
    with pytest.raises(TrainingError, match=r"'photos\.mirror' was"):
        settings_to_resume(folder, folder / "began.yaml", again[:1])


def test_a_folder_that_does_not_tell_or_is_damaged(tmp_path: Path) -> None:
    assert settings_to_resume(tmp_path, None, ["rate=3"]) is None
    for text in ("[", "{}", '{"config": 3}', "[" * 100_000):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(TrainingError, match="damaged"):
            settings_to_resume(tmp_path, None, [])


def test_a_checkpoint_for_another_generator_is_refused_with_both_names(tmp_path: Path) -> None:
    first = {"config": {}, "trained_for": {"name": "panohead", "fingerprint": "a" * 64}}
    save_checkpoint(tmp_path, 1, first, {"modules": {}}, keep=1)
    checkpoint = latest_checkpoint(tmp_path, lambda text: None)
    assert checkpoint is not None
    check_identity(checkpoint, first)
    second = {"config": {}, "trained_for": {"name": "eg3d", "fingerprint": "b" * 64}}
    with pytest.raises(TrainingError, match="'panohead' with the fingerprint aaaaaaaaaaaa, this one is 'eg3d'"):
        check_identity(checkpoint, second)


def test_another_precision_begins_with_a_fresh_loss_scale() -> None:
    half = Stepper(EngineSettings(precision="fp16"))
    half.load_state(Stepper(EngineSettings()).state())
    assert half.state()["scale"] == 2.0**15
    Stepper(EngineSettings()).load_state(half.state())
