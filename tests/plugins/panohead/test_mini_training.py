"""`toolkit train panohead-mini` at toy size: a few small heads, a tiny network, three steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from toolkit.camera import Camera
from toolkit.training import Cadence, train
from toolkit.weights.tensors import write_tensors
from toolkit_plugins.panohead.loading import load
from toolkit_plugins.panohead.training import rays
from toolkit_plugins.panohead.training.evaluation import _VERSION, YAWS
from toolkit_plugins.panohead.training.job import MiniJob
from toolkit_plugins.panohead.training.settings import MiniSettings

NETWORK = {
    "w_dim": 12, "mapping_layers": 2, "channel_base": 128, "channel_max": 16, "plane_size": 32, "features": 4,
    "decoder_hidden": 8, "sr_widths": [4, 4], "image_size": 64, "samples": 6,
    "importance_samples": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def rays_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rays of three heads, and two held-out heads whose truth is made up."""
    folder = tmp_path_factory.mktemp("rays")
    rays._make_shard((settings(folder).ray_plan(), 0, 3, folder / "rays-000000.safetensors"))
    latents = torch.nn.functional.normalize(torch.randn(2, 40), dim=1) * 40**0.5
    masks = torch.zeros(2, len(YAWS), 1, 64, 64)
    masks[..., 16:48, 16:48] = 1
    truth = {"latents": latents, "images": torch.zeros(2, len(YAWS), 3, 64, 64), "masks": masks}
    write_tensors(folder / "held-out-2-64.safetensors", truth, {"about": {"version": _VERSION, "yaws": list(YAWS)}})
    return folder


def settings(folder: Path, **changes: Any) -> MiniSettings:
    plain = {
        "steps": 3, "batch": 2, "rays": 24, "face_share": 0.25, "patches_from": 0.5, "patch_heads": 1, "patch_side": 6,
        "patch_samples": [4, 2], "evaluation_heads": 2, "network": NETWORK,
        "heads": {"heads": 3, "cameras": 4, "rays_per_camera": 40, "patches": 1, "patch": 8, "folder": str(folder)},
        "cadence": Cadence(log_every=1, sheet_every=3).model_dump(),
    }  # fmt: skip
    return MiniSettings.model_validate_json(json.dumps(plain | changes))


@pytest.fixture(scope="module")
def straight(rays_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("straight") / "run"
    train(MiniJob(settings(rays_folder)), out)
    return out


def lines(out: Path, key: str) -> list[dict[str, float]]:
    read = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line[key] for line in read if key in line]


def test_rays_are_kept_in_the_users_cache(rays_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path))
    (tmp_path / "rays").symlink_to(rays_folder)
    looked_into: list[Path] = []

    def noted(plan: Any, folder: Path, workers: int) -> Any:
        looked_into.append(folder)
        return rays.prepare_rays(plan, rays_folder, workers)

    monkeypatch.setattr("toolkit_plugins.panohead.training.job.prepare_rays", noted)
    heads = settings(rays_folder).heads.model_copy(update={"folder": None})
    MiniJob(settings(rays_folder).model_copy(update={"heads": heads}))
    assert looked_into == [tmp_path / "rays"]


def test_patches_join_the_rays_later_and_the_end_is_evaluated(straight: Path) -> None:
    *early, last = lines(straight, "losses")
    assert len(early) == 2 and {"colour", "mask", "free_space", "occupancy"} <= early[0].keys()
    assert not any(name.startswith("patch") for losses in early for name in losses)
    assert any(name.startswith("patch") for name in last)
    (scores,) = lines(straight, "evaluation")
    assert scores.keys() == {"psnr", "psnr_head"}
    assert (straight / "sheets" / "step-00000003.png").stat().st_size > 1000


def test_a_stopped_training_goes_on_as_if_it_had_not_been(straight: Path, rays_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(MiniJob(settings(rays_folder)), out, max_steps=1)
    train(MiniJob(settings(rays_folder)), out, resume=True)
    assert lines(out, "losses") == lines(straight, "losses")
    expected = load_file(straight / "weights.safetensors")
    assert all(torch.equal(value, expected[name]) for name, value in load_file(out / "weights.safetensors").items())


def test_the_exported_file_has_the_mean_latent_and_white_space(straight: Path, rays_folder: Path) -> None:
    generator = load(straight / "weights.safetensors")
    assert generator.spec.name == "panohead-mini" and generator.spec.image_size == 64
    job = MiniJob(settings(rays_folder))
    ws = generator.mapping(job.rays.latents, Camera.orbit())
    torch.testing.assert_close(generator.backbone.mapping.w_avg, ws[:, 0].mean(0), rtol=0.05, atol=0.05)
    assert generator.bcg_synthesis is None
    assert generator.torgb is None
    away = Camera.orbit(pivot=(0.0, 2.0, 0.0))  # looks past the head
    raw = generator.render(generator.planes(ws[:1]), ws[:1], away).raw
    torch.testing.assert_close(raw, torch.ones_like(raw), rtol=0, atol=1e-4)
