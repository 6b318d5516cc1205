from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from toolkit.cli.main import app
from toolkit.errors import ConfigError
from toolkit.registry import default_registry
from toolkit.training import train
from toolkit.weights.tensors import read_tensors
from toolkit_plugins.embedded_networks.files import ROLES, read_network
from toolkit_plugins.embedded_networks.training.job import NetworksJob, make_job
from toolkit_plugins.embedded_networks.training.pictures import PicturePlan, open_heads, pair_latents, prepare_pictures
from toolkit_plugins.embedded_networks.training.settings import NetworksSettings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture
def settings(folder: Path) -> list[str]:
    stages = ("identity_loss", "identity_e", "perceptual_loss", "perceptual_e")
    few = [f"{stage}.{key}=2" for stage in stages for key in ("steps", "batch")]
    return [*few, "heads.train=4", "heads.held_out=4", f"heads.folder={folder}"]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return read_tensors(run / "weights.safetensors")[0]


def test_the_command_trains_all_four_and_goes_on_where_it_stopped(settings: list[str], tmp_path: Path):
    options = [word for setting in settings for word in ("--set", setting)]
    whole = CliRunner().invoke(app, ["train", "embedded-networks", "--out", str(tmp_path / "whole"), *options])
    assert whole.exit_code == 0, whole.output
    parts = ["train", "embedded-networks", "--out", str(tmp_path / "parts"), *options]
    assert CliRunner().invoke(app, [*parts, "--max-steps", "3"]).exit_code == 0
    assert CliRunner().invoke(app, [*parts, "--resume"]).exit_code == 0
    first, second = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    for role in ROLES:
        network, about = read_network(role, nn.Module, tmp_path / "parts" / "networks" / f"{role}.safetensors")
        assert not network.training
        assert len(about["face_points"]) == 5
        assert all(0 <= value <= 1 for value in about["held_out"].values())


def test_every_stage_trains_its_own_network_only(settings: list[str], tmp_path: Path):
    job = make_job(None, settings, "cpu")
    before = {name: copy.deepcopy(dict(module.named_parameters())) for name, module in job.modules().items()}
    train(job, tmp_path / "run", max_steps=2)
    after = {name: dict(module.named_parameters()) for name, module in job.modules().items()}
    changed = {name for name, now in after.items() if any(not torch.equal(now[key], before[name][key]) for key in now)}
    assert changed == {"identity-loss"}


def test_a_batch_depends_on_the_step_alone(settings: list[str]):
    job = make_job(None, settings, "cpu")
    assert isinstance(job, NetworksJob)
    for step in (0, 5):
        first, again = job.batch(step), job.batch(step)
        assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(job.batch(4)["views"], job.batch(5)["views"])


def test_pictures_are_kept_in_the_users_cache(
    folder: Path, settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path))
    looked_into: list[Path] = []

    def noted(plan: PicturePlan, place: Path) -> object:
        looked_into.append(place)
        return prepare_pictures(plan, folder)

    monkeypatch.setattr("toolkit_plugins.embedded_networks.training.job.prepare_pictures", noted)
    make_job(None, [one for one in settings if "folder" not in one], "cpu")
    assert looked_into == [tmp_path / "embedded-networks"] * 2


def test_pictures_are_kept_and_relatives_share_half_of_their_latent(folder: Path, settings: list[str]):
    plan = PicturePlan(heads=4)
    pictures = prepare_pictures(plan, folder)
    made = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    again = prepare_pictures(plan, folder)
    assert torch.equal(pictures.faces, again.faces)
    assert made == {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert torch.equal(pictures.view_cameras[0], pictures.view_cameras[1])
    latents = torch.stack([pair_latents(open_heads("heads360"), plan, index) for index in range(4)])
    assert torch.allclose(latents.square().mean(1), torch.ones(4), atol=1e-5)
    assert not torch.isclose(latents[0], latents[1]).any()
    ratios = latents[3] / latents[2]
    assert int(torch.isclose(ratios, ratios.median(), rtol=1e-3).sum()) >= 20


def test_heads_come_in_pairs():
    with pytest.raises(ValueError, match="multiple of 4"):
        NetworksSettings.model_validate({"heads": {"train": 6}})
    with pytest.raises(ConfigError, match="identity_los"):
        make_job(None, ["identity_los.steps=2"], "cpu")


def test_the_registered_trainable_is_this_one():
    assert default_registry().load("trainable", "embedded-networks") is make_job
