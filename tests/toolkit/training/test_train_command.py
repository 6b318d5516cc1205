from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from toy_training import toy_registry
from typer.testing import CliRunner

import toolkit.registry
from toolkit.cli.train import train_command
from toolkit.errors import ConfigError, InputError, PluginError, ToolkitError, TrainingError


@pytest.fixture(autouse=True)
def toy_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolkit.registry, "default_registry", toy_registry)


def run(*arguments: str) -> str:
    app = typer.Typer()
    app.command()(train_command)
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False).stdout


def test_the_weights_file_is_the_result_on_stdout(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert run("toy", "--out", str(out), "--set", "steps=3") == f"{out / 'weights.safetensors'}\n"


def test_a_configuration_file_counts_and_overrides_win(tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text("steps: 4\nwidth: 5\n")
    run("toy", "--config", str(tmp_path / "toy.yaml"), "--set", "steps=2", "--out", str(tmp_path / "run"))
    config = json.loads((tmp_path / "run" / "run.json").read_text())["config"]
    assert (config["steps"], config["width"]) == (2, 5)


def test_a_limited_run_goes_on_with_resume(tmp_path: Path) -> None:
    arguments = ["toy", "--set", "steps=6", "--out", str(tmp_path / "run")]
    run(*arguments, "--max-steps", "2")
    run(*arguments, "--resume")
    sessions = json.loads((tmp_path / "run" / "run.json").read_text())["sessions"]
    assert [session["from_step"] for session in sessions] == [0, 2]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_used_place_is_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "mine" if kind == "file" else tmp_path
    (tmp_path / "mine").write_text("keep me")
    with pytest.raises(InputError, match="is not empty" if kind == "folder" else "is not a folder"):
        run("toy", "--out", str(place))
    assert (tmp_path / "mine").read_text() == "keep me"


def test_a_dry_run_says_what_the_whole_would_cost_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("a place in use does not matter")
    text = run("toy", "--dry-run", "--out", str(tmp_path), "--set", "steps=1000")
    assert text.startswith("toy: nothing was written") and "65 parameters" in text and "for 1000 steps" in text
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_unknown_names_are_named(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="unknown trainable 'toi'; did you mean 'toy'"):
        run("toi", "--out", str(tmp_path / "run"))
    with pytest.raises(ConfigError, match="unknown configuration 'no-such-one'"):
        run("toy", "--config", "no-such-one", "--out", str(tmp_path / "run"))
    with pytest.raises(ConfigError, match=r"cannot read the configuration no-such-one\.yaml"):
        run("toy", "--config", "no-such-one.yaml", "--out", str(tmp_path / "run"))


def test_the_command_is_declared_without_torch() -> None:
    code = "import sys, toolkit.cli.train; sys.exit('torch' in sys.modules or 'pydantic' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_resume_takes_the_runs_own_settings(tmp_path: Path) -> None:
    out = ["toy", "--out", str(tmp_path / "run")]
    run(*out, "--set", "steps=6", "--set", "width=5", "--max-steps", "2")
    run(*out, "--resume", "--set", "cadence.log_every=3")
    written = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (written["config"]["steps"], written["config"]["width"]) == (6, 5)
    assert [session["from_step"] for session in written["sessions"]] == [0, 2]


def test_resume_refuses_other_settings_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = ["toy", "--out", str(tmp_path / "run")]
    run(*out, "--set", "steps=6", "--max-steps", "2")
    (tmp_path / "other.yaml").write_text("width: 9\n")
    monkeypatch.setattr(
        "toy_training.ToyJob.__init__", lambda *_, **__: pytest.fail("made before the settings were compared")
    )
    for arguments in (["--set", "width=9"], ["--config", str(tmp_path / "other.yaml")]):
        with pytest.raises(TrainingError, match=r"'width' was .* there and is 9 now"):
            run(*out, "--resume", *arguments)


@pytest.mark.parametrize("place", ["file", "below a file", "read-only"])
def test_a_place_that_cannot_be_written_is_refused_before_data_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "file").write_text("mine")
    target = {"file": tmp_path / "file", "below a file": tmp_path / "file" / "run", "read-only": tmp_path / "run"}[
        place
    ]
    if place == "read-only":
        monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.setattr("toolkit.registry.Registration.load", lambda _: pytest.fail("the training was opened"))
    with pytest.raises(ToolkitError, match=r"is not (empty|a folder)|is read-only"):
        run("toy", "--out", str(target))
    assert (tmp_path / "file").read_text() == "mine"
