"""Every ablation runs from the command line, with the generator that ships, on networks of the smallest size."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tiny_training import STAGE, TINY, write_photos
from typer.testing import CliRunner

from toolkit import load_generator
from toolkit.cli.main import app
from toolkit.encoders import read_encoder

sys.path.insert(0, str(Path(__file__).parents[3] / "experiments"))
from dual_encoder_reproduction import TABLES, Variant

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(load_generator(), tmp_path_factory.mktemp("data") / "photos")


@pytest.mark.parametrize("variant", [each for table in TABLES.values() for each in table], ids=lambda each: each.config)
def test_an_ablation_runs_and_goes_on(
    variant: Variant, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    small = [each for each in TINY if not each.startswith("generator=")]
    settings = [
        *small,
        *(f"encoder1.first.{each}" for each in STAGE),
        f"photos.sources=[{pictures}]",
        "pairs.count=4",
        "pairs.resolution=16",
        "refiner.pixel_shuffle=false",
    ]
    call = ["train", variant.trainable, "--config", f"ablations/{variant.config}", "--out", str(tmp_path / "run")]
    call += [part for each in settings for part in ("--set", each)]
    first = CliRunner().invoke(app, [*call, "--max-steps", "1"])
    assert first.exit_code == 0, first.output
    second = CliRunner().invoke(app, [*call, "--resume"])
    assert second.exit_code == 0, second.output
    file = read_encoder(tmp_path / "run" / "weights.safetensors", variant.trainable)
    judged = variant.trainable != "encoder1" and variant.key != "none"
    assert bool(file.part("discriminator")) is judged
    if judged:
        assert file.config["discriminator"]["domain"] == ("images" if variant.key == "images" else "planes")
