from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))
from encoder_training import TRUNK, overrides

from toolkit.configuration import load_config
from toolkit.encoders.training import EncoderTraining
from toolkit.testing import conformance
from toolkit.training import train
from toolkit_plugins.e4e.method import open_e4e
from toolkit_plugins.e4e.training import E4eSettings, e4e_training


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))


def make(folder: Path, generator, *more: str, codes: int = 1, images: int = 5) -> EncoderTraining:
    settings = [*overrides(folder, codes=codes, images=images), f"network={TRUNK}", "progressive_start=2",
                "progressive_every=1", *more]  # fmt: skip
    return e4e_training(load_config(E4eSettings, None, settings), "cpu", generator)


def test_it_trains_with_its_discriminator_and_inverts(photo_folder, spherical, tmp_path):
    run = train(make(photo_folder, spherical), tmp_path / "run")
    losses = [json.loads(line).get("losses", {}) for line in (run.out / "metrics.jsonl").read_text().splitlines()]
    names = {name for line in losses for name in line}
    assert {"codes/codes", "images/l2", "images/delta", "images/adversarial", "images/discriminator"} <= names
    conformance.check_method(open_e4e(spherical, run.weights, {}), spherical)


def test_before_the_first_delta_all_layers_share_one_w(photo_folder, spherical):
    job = make(photo_folder, spherical, codes=0)
    blocks = {
        name: value.clone()
        for name, value in job.network.network.styles.state_dict().items()
        if not name.startswith("0.")
    }
    for step in range(2):
        job.training_step(job.batch(step), step)
    after = job.network.network.styles.state_dict()
    assert all(torch.equal(after[name], value) for name, value in blocks.items())
    job.training_step(job.batch(2), 2)
    changed = {name.split(".")[0] for name, value in blocks.items() if not torch.equal(after[name], value)}
    assert changed == {"1"}


def test_resuming_gives_what_never_stopping_gives(photo_folder, spherical, tmp_path):
    straight = train(make(photo_folder, spherical), tmp_path / "straight")
    train(make(photo_folder, spherical), tmp_path / "halves", max_steps=3)
    halves = train(make(photo_folder, spherical), tmp_path / "halves", resume=True)
    assert straight.weights.read_bytes() == halves.weights.read_bytes()


def test_it_starts_from_a_psp_whose_first_style_becomes_w(photo_folder, spherical, tmp_path):
    from toolkit.encoders import write_encoder

    other = make(photo_folder, spherical)
    path = tmp_path / "psp.safetensors"
    write_encoder(
        path, "psp", {"psp_encoder": other.network.network}, other.network.average_latent, {}, spherical.spec, {}
    )
    job = make(photo_folder, spherical, f"start={path}")
    codes = job.network.network.eval()(torch.rand(1, 3, 32, 32))
    torch.testing.assert_close(codes, codes[:, :1].expand_as(codes))
