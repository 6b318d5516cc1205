"""A dry run at full scale by somebody who has no weights and no photos: the way itself, at tiny sizes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[3]))
from encoder_training import CLASSES, SIZES, STAGES

from toolkit.cli.train import WITHOUT_FILES, train_command
from toolkit.configuration import config_path, load_config
from toolkit.errors import ConfigError, WeightsError
from toolkit.registry import default_registry
from toolkit.training import rehearse, train
from toolkit_plugins.panohead.config import PanoHeadConfig


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A released PanoHead of tiny sizes."""
    config = PanoHeadConfig(
        z_dim=16, w_dim=24, image_size=32, raw_size=8, channel_base=256, channel_max=16, plane_size=16,
        feature_channels=8, decoder_hidden=16, sr_widths=(8, 8), samples=12, importance_samples=12,
    )  # fmt: skip
    monkeypatch.setattr(PanoHeadConfig, "released", classmethod(lambda cls: config))
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))


def on_top_of(kind: str) -> list[str]:
    return [f"base=training/{kind}-panohead"]


@pytest.mark.parametrize("kind", CLASSES)
def test_it_changes_files_alone(kind: str) -> None:
    module, _, model = CLASSES[kind]
    settings = getattr(importlib.import_module(f"toolkit_plugins.{module}"), model)
    usual = load_config(settings, config_path(f"training/{kind}-panohead")).model_dump()
    without = load_config(settings, config_path(WITHOUT_FILES), on_top_of(kind)).model_dump()
    trunks = {"recogniser"} if kind != "goae" else set()  # GOAE's trunk is no IR-SE
    assert {key for key in usual if usual[key] != without[key]} == {"generator", "photos", "losses"} | trunks


@pytest.mark.parametrize("kind", CLASSES)
def test_every_encoder_is_rehearsed_and_not_trained(kind: str, tmp_path: Path) -> None:
    more = ["samples=32", "feature_size=8"] if kind == "goae" else ["samples=32"]
    sizes = [*SIZES[kind], *more]
    job = default_registry().load("trainable", kind)(config_path(WITHOUT_FILES), [*on_top_of(kind), *sizes], "cpu")
    stages = [kind.stage for kind, _ in rehearse(job).step_kinds]
    assert stages == [name.replace(".", "/") for name in STAGES[kind] if name != "codes"]
    with pytest.raises(ConfigError, match="'panohead-untrained' has random weights: it serves a --dry-run"):
        train(job, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def run(*arguments: str) -> None:
    app = typer.Typer()
    app.command()(train_command)
    CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.mark.parametrize("kind", CLASSES)
def test_a_dry_run_that_lacks_files_names_the_way(kind: str) -> None:
    config = f"training/{kind}-panohead"
    with pytest.raises(WeightsError, match=f"--config {WITHOUT_FILES} --set base={config}"):
        run(kind, "--config", config, "--dry-run")


def test_nothing_else_is_sent_that_way(tmp_path: Path) -> None:
    missing = f"start={tmp_path / 'missing.safetensors'}"
    for arguments in (
        ("psp", "--config", "training/psp-panohead", "--out", str(tmp_path / "run")),
        ("psp", "--dry-run", "--set", missing),
    ):
        with pytest.raises(WeightsError) as caught:
            run(*arguments)
        assert WITHOUT_FILES not in str(caught.value)
