from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import toy_training
import typer
from typer.testing import CliRunner

import toolkit.registry
from toolkit.cli.train import train_command
from toolkit.encoders.training import freeze_generator, frozen_generator
from toolkit.encoders.training.settings import EncodingSettings
from toolkit.errors import TrainingError
from toolkit.training.resumed_generator import check_generator, expecting_generator_of

OTHER = {"name": "eg3d", "fingerprint": "b" * 64}


@pytest.fixture
def run_of_other(tmp_path: Path) -> Path:
    (tmp_path / "run.json").write_text(json.dumps({"config": {}, "trained_for": OTHER, "sessions": []}))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "step-00000002.json").write_text("{}")
    return tmp_path


def test_another_generator_is_refused_before_its_codes_are_counted(run_of_other, spherical, monkeypatch) -> None:
    def counted(*arguments: object, **named: object) -> None:
        raise AssertionError("minutes went by before the refusal")

    monkeypatch.setattr(frozen_generator, "latent_statistics", counted)
    settings = EncodingSettings.model_construct(samples=8, seed=0)
    with (
        expecting_generator_of(run_of_other),
        pytest.raises(TrainingError, match=rf"{run_of_other.name}.*'eg3d' with the fingerprint bbbbbbbbbbbb, this one"),
    ):
        freeze_generator(settings, "cpu", spherical)


def test_the_same_generator_passes_and_the_expectation_ends_with_the_context(run_of_other: Path) -> None:
    with expecting_generator_of(run_of_other):
        check_generator(**OTHER)
        with pytest.raises(TrainingError):
            check_generator("panohead", "a" * 64)
    check_generator("panohead", "a" * 64)


@pytest.mark.parametrize("text", ["[", "{}", '{"trained_for": 3}', '{"trained_for": {}}'])
def test_a_run_that_does_not_tell_takes_every_generator(run_of_other: Path, text: str) -> None:
    (run_of_other / "run.json").write_text(text)
    with expecting_generator_of(run_of_other):
        check_generator("panohead", "a" * 64)


def test_a_run_that_learnt_nothing_yet_takes_every_generator(run_of_other: Path) -> None:
    (run_of_other / "checkpoints" / "step-00000002.json").unlink()
    with expecting_generator_of(run_of_other):
        check_generator("panohead", "a" * 64)


def test_train_resume_asks_while_the_job_is_built(run_of_other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(config: Path | None, overrides: Sequence[str], device: str) -> None:
        check_generator("panohead", "a" * 64)
        raise AssertionError("the job was built")

    monkeypatch.setattr(toolkit.registry, "default_registry", toy_training.toy_registry)
    monkeypatch.setattr(toy_training, "make_toy", build)
    app = typer.Typer()
    app.command()(train_command)
    with pytest.raises(TrainingError, match=r"'eg3d'.*'panohead'"):
        CliRunner().invoke(app, ["toy", "--resume", "--out", str(run_of_other)], catch_exceptions=False)
