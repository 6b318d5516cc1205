"""Wrong names in a training's settings are refused before any data is made."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.registry import default_registry

MAKERS = (
    "toolkit.encoders.training.data.open_photos",
    "toolkit.encoders.training.data.kept_pairs",
    "toolkit_plugins.panohead.training.job.prepare_rays",
    "toolkit_plugins.photo_networks.training.job.prepare_faces",
)


@pytest.fixture(autouse=True)
def no_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def make(*given: object) -> None:
        raise AssertionError("data is made")

    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    for maker in MAKERS:
        module, _, name = maker.rpartition(".")
        monkeypatch.setattr(importlib.import_module(module), name, make)


@pytest.mark.parametrize(
    ("training", "setting", "sentence"),
    [
        ("psp", "cadence.best=pnsr", "unknown score 'pnsr'; did you mean 'psnr'"),
        ("e4e", "cadence.best=id_dlib", "unknown score 'id_dlib'; available: l2, lite0, psnr"),
        ("psp", "pairs.heads=nosuch:somewhere", "nosuch:somewhere"),
        ("psp", "pairs.heads=/no/such/folder", "/no/such/folder"),
        ("psp", "start=nosuch", "unknown weights 'nosuch'"),
        ("psp", "images.images={l2: 1, by_name: {lpipz: 1}}", "'lpipz'"),
        ("psp", "losses.perceptual=nosuch", "'nosuch'"),
        ("psp", "generator=nosuch", "unknown generator 'nosuch'"),
        ("panohead-mini", "cadence.best=l2", "unknown score 'l2'; available: psnr, psnr_by_traits, psnr_head"),
        ("panohead-mini", "start=/no/such/file.safetensors", "/no/such/file.safetensors"),
        ("panohead-mini", "losses={patch_perceptual: 1, perceptual: nosuch}", "'nosuch'"),
        ("panohead-mini", "heads.dataset=nosuch", "unknown dataset 'nosuch'"),
        ("identity-lite", "cadence.best=psnr", "unknown score 'psnr'; available: correlation"),
    ],
)
def test_a_wrong_name_is_refused_before_data_is_made(training: str, setting: str, sentence: str) -> None:
    settings = [setting, *(["samples=16"] if training in ("psp", "e4e") else [])]
    if training == "e4e" or (training == "psp" and not setting.startswith("start")):
        settings.append("start=null")
    with pytest.raises(ToolkitError) as refused:
        default_registry().load("trainable", training)(None, settings, "cpu")
    assert sentence in str(refused.value) and "\n" not in str(refused.value)


def test_right_names_get_as_far_as_the_data() -> None:
    for training, setting in (("psp", "cadence.best=l2"), ("panohead-mini", "cadence.best=psnr_head")):
        with pytest.raises(AssertionError, match="data is made"):
            more = ["samples=16", "start=null"] if training == "psp" else []
            default_registry().load("trainable", training)(None, [setting, *more], "cpu")
