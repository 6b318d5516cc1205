from __future__ import annotations

import copy
import pickle
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from toolkit.cli.main import app
from toolkit.errors import ConfigError, InputError
from toolkit.registry import default_registry
from toolkit.tensors import read_tensors
from toolkit.training import train
from toolkit_plugins.embedded_networks.files import ROLES, read_network
from toolkit_plugins.embedded_networks.perception import PerceptualNetwork
from toolkit_plugins.embedded_networks.recognisers import MarginSoftmax
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


def job_with(settings: list[str], *engine: str) -> NetworksJob:
    return make_job(None, [*settings, *(f"engine.{switch}" for switch in engine)], "cpu")


def stepped(job: NetworksJob) -> list[Mapping[str, float]]:
    """The losses of all steps: two of each stage."""
    torch.manual_seed(0)  # of dropout
    return [job.training_step(job.batch(step), step) for step in range(job.steps)]


def test_parts_of_a_batch_are_refused_in_one_sentence(settings: list[str], tmp_path: Path):
    with pytest.raises(InputError, match=r"^engine.accumulate must be 1 for 'embedded-networks', got 2: [^.]+$"):
        job_with([*settings, f"heads.folder={tmp_path}"], "accumulate=2")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("precision", "kind"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_networks_compute_in_16_bits_and_losses_in_32(
    settings: list[str], monkeypatch: pytest.MonkeyPatch, precision: str, kind: torch.dtype
):
    seen: Counter[tuple[str, torch.dtype]] = Counter()

    def judged(self: Any, cosines: Tensor, *rest: Any, real: Any = MarginSoftmax.judged) -> Tensor:
        seen["cosines", cosines.dtype] += 1
        return real(self, cosines, *rest)

    monkeypatch.setattr(MarginSoftmax, "judged", judged)
    full, job = stepped(job_with(settings)), job_with(settings, f"precision={precision}")
    seen.clear()
    for stage in job.stages:
        first = next(part for part in stage.network.modules() if isinstance(part, nn.Conv2d))
        first.register_forward_hook(lambda *call: seen.update([("layers", call[2].dtype)]))
        if isinstance(stage.network, PerceptualNetwork):
            stage.network.register_forward_hook(lambda *call: seen.update(("maps", each.dtype) for each in call[2]))
    losses = stepped(job)
    assert {key for key, _ in seen} == {"cosines", "layers", "maps"}
    assert all(dtype == (kind if key == "layers" else torch.float32) for key, dtype in seen)
    for mixed, plain in zip(losses, full, strict=True):
        assert mixed == pytest.approx(plain, rel=0.1, abs=0.02) and mixed != plain
    assert bool(job.state()["stepper"]) == (precision == "fp16")
    other = job_with(settings, f"precision={precision}")
    other.load_state(job.state())
    assert other.state() == job.state()


def test_pictures_to_be_ranked_keep_their_bits(settings: list[str]):
    job = job_with(settings)
    stage = job.stages[2]
    batch, looked = stage.batches(0), []
    stage.network.register_forward_pre_hook(lambda _, inputs: looked.append(inputs[0]))
    stage.losses(batch, 0)
    with torch.autocast("cpu", torch.bfloat16):
        stage.losses(batch, 0)
    (_, plain), (_, mixed) = looked[:2], looked[2:]
    assert torch.equal(plain, mixed)


def test_checkpointed_activations_change_no_weight(settings: list[str]):
    plain, twice = job_with(settings), job_with(settings, "checkpoint_activations=true")
    calls: Counter[str] = Counter()
    names = {"identity-loss": "layers.3", "identity-e": "steps.1.first", "perceptual-loss": "layers.1",
             "perceptual-e": "mixers.1"}  # fmt: skip
    for stage in twice.stages:
        layer = stage.network.get_submodule(names[stage.role])
        layer.register_forward_pre_hook(lambda *_, role=stage.role: calls.update([role]))
    assert stepped(twice) == stepped(plain)
    # a step calls recognisers once, and perceptual networks twice
    assert calls == {"identity-loss": 4, "identity-e": 4, "perceptual-loss": 8, "perceptual-e": 8}
    for role, module in plain.modules().items():
        expected = module.state_dict()
        found = twice.modules()[role].state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(value, expected[name]) for name, value in found.items())


@pytest.mark.slow
def test_compiled_networks_run_and_learn_the_same(settings: list[str], calls: Counter[nn.Module]):
    job, plain = job_with(settings, "compile=true"), job_with(settings)
    for compiled, wanted in zip(stepped(job), stepped(plain), strict=True):
        assert compiled == pytest.approx(wanted, rel=1e-3, abs=1e-5)
    assert set(calls) == {stage.network for stage in job.stages}


def test_the_switch_compiles_the_networks(settings: list[str], monkeypatch: pytest.MonkeyPatch):
    asked: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda module: asked.append(module))
    assert job_with(settings).stages and asked == []
    job = job_with(settings, "compile=true")
    assert asked == [stage.network for stage in job.stages]


def test_workers_make_the_same_batches(settings: list[str]):
    job = job_with(settings, "workers=2")
    assert job.workers == 2
    make = pickle.loads(pickle.dumps(job.batch_maker()))
    for step in range(job.steps):
        made, wanted = make(step), job.batch(step)
        assert made.keys() == wanted.keys()
        assert all(torch.equal(made[name], wanted[name]) for name in made)
