"""The whole way from a file in the weights folder to a score, with random networks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import skimage.data
import torch
from torch import Tensor

from toolkit.files import file_sha256
from toolkit.registry import default_registry
from toolkit.weights import manifest
from toolkit.weights.manifest import MANIFEST
from toolkit_plugins.reference_metrics import networks
from toolkit_plugins.reference_metrics.inception import Inception

INCEPTION = "pt_inception-2015-12-05-6726825d.pth"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store; hashes are not checked, since the files hold random networks."""
    monkeypatch.setenv("TOOLKIT_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(manifest, "MANIFEST", tuple(dataclasses.replace(each, sha256=None) for each in MANIFEST))
    networks._inception.cache_clear()
    networks._recogniser.cache_clear()
    yield tmp_path
    networks._inception.cache_clear()
    networks._recogniser.cache_clear()


def test_fid_and_kid_read_one_network_and_score(folder: Path):
    torch.save(Inception().net.state_dict(), folder / INCEPTION)
    fid, kid = (default_registry().load("metric", name)() for name in ("fid", "kid"))
    assert fid.extractor is kid.extractor
    assert fid.networks == kid.networks == {INCEPTION: file_sha256(folder / INCEPTION)}
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    features = fid.extractor.features(images)
    assert features.shape == (3, 2048)
    for metric in (fid, kid):
        metric.update_features(features[:2], True)
        metric.update_features(features[1:], False)
        score = metric.compute()
        assert (score.used, score.failed) == (2, 0)
        assert score.value == score.value
    assert fid.backend == kid.backend == "reference"


@pytest.fixture(scope="module")
def astronaut() -> Tensor:
    photo = torch.from_numpy(skimage.data.astronaut()[0:224, 112:336].copy()).permute(2, 0, 1)
    return photo.float()[None] / 127.5 - 1


def test_identity_reads_an_official_recogniser_and_knows_the_same_face(folder: Path, astronaut: Tensor):
    recogniser = pytest.importorskip("toolkit_plugins.face_recognition.recogniser")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tiny = recogniser.FaceRecogniser(recogniser.RecogniserConfig(width=4))
    torch.save(tiny.state_dict(), folder / "model_ir_se50.pth")
    metric = default_registry().load("metric", "id_arcface")()
    metric.update(torch.cat([astronaut, astronaut]), torch.cat([astronaut, torch.zeros_like(astronaut)]))
    score = metric.compute()
    assert (score.used, score.failed) == (1, 1)
    assert score.value == pytest.approx(1.0, abs=1e-5)
