from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))
from encoder_training import REFINER, TRUNK, overrides

from toolkit.camera import Camera
from toolkit.configuration import load_config
from toolkit.encoders import read_encoder
from toolkit.encoders.training import EncoderTraining
from toolkit.errors import CapabilityError
from toolkit.testing import conformance
from toolkit.training import train
from toolkit_plugins.triplanenet.method import open_triplanenet
from toolkit_plugins.triplanenet.training import TriPlaneNetSettings, triplanenet_training


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))


def make(folder: Path, generator, *more: str, images: int = 1, planes: int = 2) -> EncoderTraining:
    settings = [*overrides(folder, images=images, planes=planes), f"network={TRUNK}", f"refiner={REFINER}", *more]
    return triplanenet_training(load_config(TriPlaneNetSettings, None, settings), "cpu", generator)


def test_it_trains_both_stages_and_inverts(photo_folder, spherical, tmp_path):
    run = train(make(photo_folder, spherical, "planes.mirror=0.1", "planes.mirror_every=2"), tmp_path / "run")
    losses = [json.loads(line).get("losses", {}) for line in (run.out / "metrics.jsonl").read_text().splitlines()]
    assert {"images/l2", "planes/l2", "planes/mirror"} <= {name for line in losses for name in line}
    method = open_triplanenet(spherical, run.weights, {})
    conformance.check_method(method, spherical)
    inversion = method.invert(torch.zeros(1, 3, 32, 32), spherical.spec.front_camera, spherical)
    assert set(inversion.timings) == {"encode", "total"}


def test_the_second_stage_begins_with_the_firsts_planes(photo_folder, spherical):
    job = make(photo_folder, spherical)
    image, camera = torch.zeros(2, 3, 32, 32), spherical.spec.front_camera.expand(2)
    with torch.no_grad():
        code = job.network.eval().encode(image, camera, spherical)
        torch.testing.assert_close(code.planes, spherical.planes(code.ws))


def test_the_second_stage_learns_alone(photo_folder, spherical):
    job = make(photo_folder, spherical, images=0)
    before = {name: value.clone() for name, value in job.network.state_dict().items()}
    job.training_step(job.batch(0), 0)
    changed = {
        name.split(".")[0] for name, value in job.network.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == {"triplanenet_encoder"}


def test_it_starts_from_a_trained_first_stage(photo_folder, spherical, tmp_path):
    first = train(make(photo_folder, spherical, images=2, planes=0), tmp_path / "first").weights
    job = make(photo_folder, spherical, f"start={first}", images=0)
    stored = read_encoder(first).part("psp_encoder")
    assert all(torch.equal(job.network.psp_encoder.state_dict()[key], value) for key, value in stored.items())


def test_smaller_views_than_the_generators_own(photo_folder, spherical, tmp_path):
    job = make(photo_folder, spherical, "view_resolution=8")
    run = train(job, tmp_path / "run")
    sides = []
    method = open_triplanenet(spherical, run.weights, {})
    render = spherical.render

    class Watched(type(spherical)):  # type: ignore[misc]
        def render(self, planes, ws, camera, resolution=None):
            sides.append(resolution)
            return render(planes, ws, camera, resolution)

    method.invert(torch.zeros(1, 3, 32, 32), Camera.orbit(), Watched().eval())
    assert sides == [8, 8]


def test_a_generator_without_plane_images_is_refused(photo_folder, bare):
    with pytest.raises(CapabilityError, match="as images"):
        make(photo_folder, bare)
