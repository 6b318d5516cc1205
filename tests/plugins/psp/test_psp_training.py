from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))
from encoder_training import TRUNK, overrides

from toolkit.camera import Camera
from toolkit.configuration import load_config
from toolkit.encoders import read_encoder
from toolkit.encoders.training import EncoderTraining, freeze_generator, open_data
from toolkit.encoders.training.settings import PhotoSettings
from toolkit.errors import ConfigError, InputError, TrainingError, WeightsError
from toolkit.tensors import write_tensors
from toolkit.testing import conformance
from toolkit.testing.spherical import SphericalGenerator
from toolkit.training import train
from toolkit_plugins.psp.method import open_psp
from toolkit_plugins.psp.training import PspSettings, psp_training


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))


def make(folder: Path, generator, *more: str, codes: int = 2, images: int = 2) -> EncoderTraining:
    settings = [*overrides(folder, codes=codes, images=images), f"network={TRUNK}", *more]
    return psp_training(load_config(PspSettings, None, settings), "cpu", generator)


@pytest.fixture
def trained(photo_folder, spherical, tmp_path) -> Path:
    return train(make(photo_folder, spherical), tmp_path / "run").weights


def test_a_trained_encoder_inverts_and_says_what_it_is(trained, spherical):
    method = open_psp(spherical, trained, {})
    conformance.check_method(method, spherical)
    image = torch.rand(1, 3, 40, 40) * 2 - 1
    inversion = method.invert(image, spherical.spec.front_camera, spherical)
    assert set(inversion.timings) == {"encode", "total"}
    assert inversion.method == "psp" and inversion.planes.shape[1:] == spherical.spec.planes_shape
    file = read_encoder(trained, "psp")
    assert file.about["licence"] and file.about["generator"]["fingerprint"] == spherical.spec.fingerprint
    assert json.loads(file.about["settings"])["codes"]["steps"] == 2
    assert str(trained.parents[1]) not in file.about["settings"]


def test_data_may_be_handed_over_instead_of_named(photo_folder, spherical, tmp_path):
    named = make(photo_folder, spherical)
    data = open_data(named.settings, [stage.settings for stage in named.stages], spherical)
    elsewhere = named.settings.model_copy(update={"photos": PhotoSettings(sources=(str(tmp_path / "nowhere"),))})
    given = EncoderTraining(elsewhere, freeze_generator(elsewhere, "cpu", spherical), named.recipe, data)
    for step in (0, 2):  # codes of pairs, then photos
        first, second = named.batch(step), given.batch(step)
        assert (first.photos is None) == (step == 0)
        kinds = [(first.photos, second.photos), (first.pairs, second.pairs)]
        assert all(torch.equal(a.image, b.image) for a, b in kinds if a is not None)


def test_both_stages_are_logged_and_drawn(photo_folder, spherical, tmp_path):
    run = train(make(photo_folder, spherical), tmp_path / "run")
    lines = [json.loads(line) for line in (run.out / "metrics.jsonl").read_text().splitlines()]
    assert any("codes/codes" in line.get("losses", {}) for line in lines)
    assert any("images/l2" in line.get("losses", {}) for line in lines)
    assert any({"psnr", "l2", "pyramid"} <= line.get("evaluation", {}).keys() for line in lines)
    assert list((run.out / "sheets").glob("*.png"))


def test_checkpointed_activations_change_no_weight(photo_folder, spherical, tmp_path):
    plain = train(make(photo_folder, spherical), tmp_path / "plain").weights
    job = make(photo_folder, spherical, "engine.checkpoint_activations=true")
    calls = []
    job.network.network.body[0].res_layer.register_forward_pre_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    twice = train(job, tmp_path / "twice").weights
    assert sum(calls) == 2 * job.steps
    first, second = read_encoder(plain).tensors, read_encoder(twice).tensors
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_resuming_gives_what_never_stopping_gives(photo_folder, spherical, tmp_path):
    straight = train(make(photo_folder, spherical), tmp_path / "straight")
    train(make(photo_folder, spherical), tmp_path / "halves", max_steps=3)
    halves = train(make(photo_folder, spherical), tmp_path / "halves", resume=True)
    assert straight.weights.read_bytes() == halves.weights.read_bytes()


def test_another_configuration_does_not_resume(photo_folder, spherical, tmp_path):
    train(make(photo_folder, spherical), tmp_path / "run", max_steps=1)
    with pytest.raises(TrainingError):
        train(make(photo_folder, spherical, images=3), tmp_path / "run", resume=True)


def test_a_start_takes_over_weights(trained, photo_folder, spherical):
    job = make(photo_folder, spherical, f"start={trained}")
    stored = read_encoder(trained).part("psp_encoder")
    own = job.network.network.state_dict()
    assert all(torch.equal(own[key], value) for key, value in stored.items() if key in own)


def test_a_trunk_starts_from_a_recogniser(photo_folder, spherical, tmp_path):
    trunk = make(photo_folder, spherical).network.network.state_dict()
    recogniser = {key: value + 1 for key, value in trunk.items() if key.startswith(("input_layer.", "body."))}
    write_tensors(tmp_path / "recogniser.safetensors", recogniser, {})
    started = make(photo_folder, spherical, f"recogniser={tmp_path / 'recogniser.safetensors'}")
    found = started.network.network.state_dict()
    assert all(torch.equal(found[key], value) for key, value in recogniser.items())
    assert torch.equal(found["styles.0.linear.weight"], trunk["styles.0.linear.weight"])
    with pytest.raises(WeightsError, match="nowhere"):
        make(photo_folder, spherical, f"recogniser={tmp_path / 'nowhere.safetensors'}")


def test_weights_of_another_generator_are_refused_unless_wanted(trained, bare):
    other = SphericalGenerator(seed=3)
    with pytest.raises(WeightsError, match="trained for generator 'spherical'"):
        open_psp(other, trained, {})
    method = open_psp(other, trained, {"other_generator": True})
    method.invert(torch.zeros(1, 3, 32, 32), other.spec.front_camera, other)


def test_what_cannot_be_used_is_refused(trained, spherical, tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'other_generator'"):
        open_psp(spherical, trained, {"other_generatr": True})
    with pytest.raises(WeightsError, match="does not exist"):
        open_psp(spherical, tmp_path / "nothing.safetensors", {})
    with pytest.raises(WeightsError, match="does not hold"):
        read_encoder(trained, "e4e")
    method = open_psp(spherical, trained, {})
    with pytest.raises(InputError, match="one camera"):
        method.invert(torch.zeros(1, 3, 32, 32), Camera.orbit(torch.zeros(2)), spherical)
    with pytest.raises(InputError, match=r"\[1, 3, S, S\]"):
        method.invert(torch.zeros(2, 3, 32, 32), spherical.spec.front_camera, spherical)


def test_a_generator_without_capabilities_will_do(photo_folder, bare, tmp_path):
    run = train(make(photo_folder, bare), tmp_path / "run")
    conformance.check_method(open_psp(bare, run.weights, {}), bare)
