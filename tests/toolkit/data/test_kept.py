"""Pictures that a data set made itself are used again only if today's version of it made them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from toolkit.bench.subjects import data as bench_data
from toolkit.camera import Camera
from toolkit.data.kept import kept_folder, pictures_version
from toolkit.encoders.training import photos as training_photos
from toolkit.encoders.training.settings import PhotoSettings
from toolkit.interfaces import Makeable, MakeRequest, VersionedMaker

SIDE = 8


class Maker:
    """Makes grey pictures, as bright as its version says."""

    made = 0

    def __init__(self, version: int | None) -> None:
        self.brightness = version or 0
        if version is not None:
            self.version = version

    def make(self, request: MakeRequest) -> Path:
        self.made += 1
        names = [f"{subject:05d}/{view}.png" for subject in range(request.subjects) for view in request.views]
        for name in names:
            (request.out / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((SIDE, SIDE, 3), 10 * self.brightness, np.uint8)).save(request.out / name)
        seen = {name: {"subject": name[:5], "view": name[6:-4]} for name in names}
        labels = [[name, Camera.orbit().label[0].tolist()] for name in names]
        (request.out / "subjects.json").write_text(json.dumps(seen))
        (request.out / "dataset.json").write_text(json.dumps({"labels": labels}))
        return request.out


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path))
    return tmp_path


def brightness_in_a_benchmark(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(bench_data, "find_maker", lambda *_: maker)
    spec = SimpleNamespace(image_size=SIDE)
    image = bench_data.open_data("greys", ["yaw_0"], spec, limit=1)[0].image
    return float((image.mean() + 1) * 12.75)


def brightness_in_a_training(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(training_photos, "find_maker", lambda *_: maker)
    settings = PhotoSettings(sources=("greys",), subjects=2, held_out_subjects=1)
    image = training_photos.open_photos(settings, SIDE)[0].rows([0]).image
    return float((image.mean() + 1) * 12.75)


def test_the_folder_says_which_version_of_the_data_set_made_it(cache: Path):
    assert isinstance(Maker(3), VersionedMaker) and not isinstance(Maker(None), VersionedMaker)
    assert kept_folder("greys", Maker(3), "a") == cache / "greys/v3/a" and pictures_version(Maker(3)) == 3
    plain: Makeable = Maker(None)
    assert kept_folder("greys", plain, "a") == cache / "greys/a" and pictures_version(plain) is None


@pytest.mark.parametrize("brightness", [brightness_in_a_benchmark, brightness_in_a_training])
def test_what_another_version_left_in_the_cache_is_not_used(brightness, monkeypatch: pytest.MonkeyPatch):
    unversioned, old, new = Maker(None), Maker(5), Maker(7)
    assert brightness(unversioned, monkeypatch) == pytest.approx(0, abs=0.1)  # a former release's folder
    assert brightness(old, monkeypatch) == pytest.approx(5, abs=0.1)
    assert brightness(new, monkeypatch) == pytest.approx(7, abs=0.1)
    before = new.made
    assert brightness(new, monkeypatch) == pytest.approx(7, abs=0.1) and new.made == before
    assert brightness(old, monkeypatch) == pytest.approx(5, abs=0.1)
