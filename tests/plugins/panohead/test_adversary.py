"""The discriminator of patches: what it learns, what it asks of patches, and how a training keeps it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import Tensor

from toolkit.registry import default_registry
from toolkit.tensors import write_tensors
from toolkit.training import Cadence, train
from toolkit_plugins.panohead.training import rays
from toolkit_plugins.panohead.training.adversary import Adversary, beside_blurred
from toolkit_plugins.panohead.training.evaluation import _VERSION, YAWS
from toolkit_plugins.panohead.training.job import MiniJob
from toolkit_plugins.panohead.training.settings import MiniSettings

DEVICE = torch.device("cpu")


def stripes(count: int, seed: int) -> Tensor:
    """Patches [B, 3, 24, 24] of a colour each, with fine stripes."""
    colours = torch.rand(count, 3, 1, 1, generator=torch.Generator().manual_seed(seed)) - 0.5
    return (colours + 0.3 * (torch.arange(24) % 2 * 2 - 1.0)).expand(-1, -1, 24, -1)


def test_what_is_shown_beside_a_patch_has_lost_its_details() -> None:
    truth = stripes(2, 0)
    joined = beside_blurred(torch.zeros_like(truth), truth)
    assert joined.shape == (2, 6, 24, 24) and not joined[:, :3].any()
    torch.testing.assert_close(joined[:, 3:].mean((2, 3)), truth.mean((2, 3)))
    assert float(joined[:, 3:].diff(dim=-1).abs().max()) < 1e-5 < float(truth.diff(dim=-1).abs().max())


def test_sides_that_no_square_fits_into_are_blurred_too() -> None:
    truth = torch.full((1, 3, 21, 21), 0.25)
    torch.testing.assert_close(beside_blurred(truth, truth)[:, 3:], truth)


def test_it_learns_to_tell_patches_without_details() -> None:
    torch.manual_seed(0)
    adversary, found = Adversary(2e-3, DEVICE), []
    for step in range(60):
        truth = stripes(4, step)
        adversary.loss(truth.mean((2, 3), keepdim=True).expand_as(truth), truth)
        found.append(adversary.learn()["discriminator"])
    assert found[0] == pytest.approx(1.386, abs=0.05) and max(found[-5:]) < 0.3


def test_patches_learn_from_it_and_it_does_not_learn_from_their_loss() -> None:
    torch.manual_seed(0)
    adversary, truth = Adversary(1e-3, DEVICE), stripes(2, 1)
    made = torch.zeros_like(truth).requires_grad_()
    adversary.loss(made, truth).backward()
    assert made.grad is not None and float(made.grad.abs().sum()) > 0
    assert all(parameter.grad is None for parameter in adversary.network.parameters())
    before = [parameter.clone() for parameter in adversary.network.parameters()]
    adversary.learn()
    assert any((one != other).any() for one, other in zip(before, adversary.network.parameters(), strict=True))
    assert adversary.learn() == {}, "patches are learnt from once"


def settings(folder: Path, **changes: Any) -> MiniSettings:
    plain = {
        "steps": 2, "batch": 2, "rays": 24, "patches_from": 0.0, "joint_from": 0.0, "patch_heads": 1, "patch_side": 12,
        "patch_samples": [4, 2], "evaluation_heads": 1,
        "network": {
            "w_dim": 12, "mapping_layers": 2, "channel_base": 128, "channel_max": 16, "plane_size": 32, "features": 4,
            "decoder_hidden": 8, "sr_widths": [4, 4], "image_size": 64, "samples": 6, "importance_samples": 4,
        },
        "heads": {"heads": 2, "cameras": 2, "rays_per_camera": 30, "patches": 1, "patch": 12, "folder": str(folder)},
        "losses": {"adversarial": 0.5},
        "cadence": Cadence(log_every=1, sheet_every=2).model_dump(),
    }  # fmt: skip
    return MiniSettings.model_validate_json(json.dumps(plain | changes))


def test_a_training_with_it_goes_on_as_if_it_had_not_been_stopped(tmp_path: Path) -> None:
    heads = default_registry().load("dataset", "heads360").procedural()
    rays._make_shard((settings(tmp_path).ray_plan(), 0, 2, tmp_path / "rays-000000.safetensors"))
    truth = {
        "latents": torch.randn(1, heads.latent_dim),
        "images": torch.zeros(1, len(YAWS), 3, 64, 64),
        "masks": torch.ones(1, len(YAWS), 1, 64, 64),
    }
    about = {"about": {"version": _VERSION, "yaws": list(YAWS)}, "looks": rays.looks_of(heads)}
    write_tensors(tmp_path / "held-out-1-64.safetensors", truth, about)
    train(MiniJob(settings(tmp_path)), tmp_path / "straight")
    train(MiniJob(settings(tmp_path)), tmp_path / "stopped", max_steps=1)
    train(MiniJob(settings(tmp_path)), tmp_path / "stopped", resume=True)
    one, other = (load_file(tmp_path / run / "weights.safetensors") for run in ("straight", "stopped"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    told = [json.loads(line) for line in (tmp_path / "straight" / "metrics.jsonl").read_text().splitlines()]
    assert all({"patch_adversarial", "discriminator"} <= line["losses"].keys() for line in told if "losses" in line)


def test_patches_that_are_too_small_for_it_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="patch_side must be from 12 to 12"):
        settings(tmp_path, patch_side=11)
