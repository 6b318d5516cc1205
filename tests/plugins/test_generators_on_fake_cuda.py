"""The training that makes the embedded generator, on a GPU that is not there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from fake_cuda import fake_cuda

from toolkit.registry import default_registry
from toolkit.tensors import write_tensors
from toolkit_plugins.panohead.training import rays
from toolkit_plugins.panohead.training.evaluation import _VERSION, YAWS
from toolkit_plugins.panohead.training.job import MiniJob
from toolkit_plugins.panohead.training.settings import MiniSettings

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")]
NETWORK = {
    "w_dim": 12, "mapping_layers": 2, "channel_base": 128, "channel_max": 16, "plane_size": 32, "features": 4,
    "decoder_hidden": 8, "sr_widths": [4, 4], "image_size": 64, "samples": 6, "importance_samples": 4,
}  # fmt: skip


def mini_settings(folder: Path) -> MiniSettings:
    plain = {
        "steps": 3, "batch": 2, "rays": 24, "face_share": 0.25, "patches_from": 0.5, "patch_heads": 1,
        "patch_side": 6, "patch_samples": [4, 2], "evaluation_heads": 2, "network": NETWORK,
        "heads": {"heads": 3, "cameras": 4, "rays_per_camera": 40, "patches": 1, "patch": 8, "folder": str(folder)},
    }  # fmt: skip
    return MiniSettings.model_validate_json(json.dumps(plain))


def test_the_generator_of_heads_learns_and_waits_for_the_gpu_less_than_five_times_a_step(tmp_path: Path) -> None:
    settings = mini_settings(tmp_path)
    rays._make_shard((settings.ray_plan(), 0, 3, tmp_path / "rays-000000.safetensors"))
    heads = default_registry().load("dataset", "heads360").procedural()
    truth = {
        "latents": torch.nn.functional.normalize(torch.ones(2, heads.latent_dim), dim=1),
        "images": torch.zeros(2, len(YAWS), 3, 64, 64),
        "masks": torch.ones(2, len(YAWS), 1, 64, 64),
    }
    looks = rays.looks_of(heads)
    about = {"about": {"version": _VERSION, "yaws": list(YAWS)}, "looks": looks}
    write_tensors(tmp_path / "held-out-2-64.safetensors", truth, about)
    with fake_cuda() as gpu:
        job = MiniJob(settings, "cuda:0")
        for step in range(job.steps):
            batch = job.batch(step)
            gpu.waits.clear(), gpu.places.clear()
            job.training_step(batch, step)
            assert 0 < gpu.waits.total() < 5, gpu.places
        assert set(job.evaluate(job.steps)) == {"psnr", "psnr_head"}
