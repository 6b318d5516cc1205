from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))
from encoder_training import overrides

from toolkit.configuration import load_config
from toolkit.encoders.training import EncoderTraining
from toolkit.encoders.training.batches import on_device
from toolkit.errors import CapabilityError
from toolkit.testing import conformance
from toolkit.training import train
from toolkit_plugins.goae.cross_attention import CrossAttention
from toolkit_plugins.goae.method import open_goae
from toolkit_plugins.goae.training import GoaeSettings, goae_training

SWIN = (
    "{image_size: 32, width: 8, depths: [1, 1, 1, 1], heads: [1, 1, 1, 1], window: 4, pretrained_windows: [4, 4, 2, 1]}"
)
SIZES = ("feature_size=6", "alignment_width=8", "mask_resolution=16", "levels=[0, 0, 1]", "dropout=0")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))


def make(folder: Path, generator, *more: str, codes: int = 1, images: int = 3, alignment: int = 2) -> EncoderTraining:
    steps = overrides(folder, codes=codes, images=images, alignment=alignment)
    return goae_training(load_config(GoaeSettings, None, [*steps, f"swin={SWIN}", *SIZES, *more]), "cpu", generator)


def test_it_trains_all_stages_and_inverts(photo_folder, spherical, tmp_path):
    run = train(make(photo_folder, spherical), tmp_path / "run")
    losses = [json.loads(line).get("losses", {}) for line in (run.out / "metrics.jsonl").read_text().splitlines()]
    names = {name for line in losses for name in line}
    assert {"codes/codes", "images/l2", "images/adversarial", "alignment/l2"} <= names
    method = open_goae(spherical, run.weights, {})
    conformance.check_method(method, spherical)
    inversion = method.invert(torch.zeros(1, 3, 32, 32), spherical.spec.front_camera, spherical)
    assert set(inversion.timings) == {"encode", "total"}
    assert inversion.extra["unmixed"].shape == inversion.planes.shape
    told = open_goae(spherical, run.weights, {"unmixed_view": True})
    seen = told.invert(torch.zeros(1, 3, 32, 32), spherical.spec.front_camera, spherical)
    view = spherical.render(seen.extra["unmixed"], seen.ws, spherical.spec.front_camera).image
    assert torch.equal(seen.extra["unmixed_view"], view)
    slim = open_goae(spherical, run.weights, {"keep_unmixed": False})
    assert not slim.invert(torch.zeros(1, 3, 32, 32), spherical.spec.front_camera, spherical).extra


def test_encoder_and_discriminator_look_at_the_same_levels(photo_folder, spherical, monkeypatch):
    job = make(photo_folder, spherical, "levels=[0, 1, 2]", codes=0)
    seen: list[tuple[int, int]] = []
    adversary = job.recipe.opponents["discriminator"]
    monkeypatch.setattr(
        adversary, "learn", lambda codes, blocks, local: seen.append((local, job.network.encoder.stage)) or {}
    )
    for local in range(1, 4):
        job.stages[0].before(on_device(job.batch(0), job.device), local)
    assert seen == [(1, 1), (2, 2), (3, 3)]
    assert job.network.encoder.stage == 3


def test_resuming_gives_what_never_stopping_gives(photo_folder, spherical, tmp_path):
    straight = train(make(photo_folder, spherical), tmp_path / "straight")
    train(make(photo_folder, spherical), tmp_path / "halves", max_steps=3)
    halves = train(make(photo_folder, spherical), tmp_path / "halves", resume=True)
    assert straight.weights.read_bytes() == halves.weights.read_bytes()


def test_the_alignment_learns_alone_and_begins_by_changing_little(photo_folder, spherical):
    job = make(photo_folder, spherical, codes=0, images=0)
    image, camera = torch.rand(2, 3, 32, 32), spherical.spec.front_camera.expand(2)
    with torch.no_grad():
        made = job.network.eval()(image, camera, spherical)
    change = (made.aligned - made.plain).square().mean().sqrt() / made.plain.std()
    assert float(change) < 0.3
    before = {name: value.clone() for name, value in job.network.state_dict().items()}
    job.training_step(job.batch(0), 0)
    changed = {
        name.split(".")[0] for name, value in job.network.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == {"alignment"}


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_cross_attention_can_begin_at_a_level(level: float):
    torch.manual_seed(0)
    attention = CrossAttention(16, 2, dropout=0.0)
    attention.begin_at(level)
    out = attention(torch.randn(2, 5, 16), torch.randn(2, 7, 16))
    seen = out.detach()
    assert abs(float(seen.mean()) - level) < 0.05 and float(seen.std()) < 0.15
    out.square().sum().backward()
    assert float(attention.linear1.weight.grad.abs().sum()) > 0


def test_a_generator_that_cannot_resume_is_refused(photo_folder, bare):
    with pytest.raises(CapabilityError, match="resume"):
        make(photo_folder, bare)
