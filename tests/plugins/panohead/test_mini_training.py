"""`toolkit train panohead-mini` at toy size: a few small heads, a tiny network, three steps."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import Tensor, nn

from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit.nn import synthesis
from toolkit.registry import default_registry
from toolkit.rendering import marching
from toolkit.rendering.rays import Rays
from toolkit.rendering.sampling import Draws
from toolkit.tensors import write_tensors
from toolkit.training import Cadence, train
from toolkit_plugins.panohead.loading import build, load
from toolkit_plugins.panohead.training import guided, objective, rays
from toolkit_plugins.panohead.training.batches import changed
from toolkit_plugins.panohead.training.evaluation import _VERSION, YAWS
from toolkit_plugins.panohead.training.job import MiniJob
from toolkit_plugins.panohead.training.objective import draw
from toolkit_plugins.panohead.training.settings import MiniSettings

NETWORK = {
    "w_dim": 12, "mapping_layers": 2, "channel_base": 128, "channel_max": 16, "plane_size": 32, "features": 4,
    "decoder_hidden": 8, "sr_widths": [4, 4], "image_size": 64, "samples": 6,
    "importance_samples": 4,
}  # fmt: skip
Z_DIM = default_registry().load("dataset", "heads360").procedural().latent_dim


@pytest.fixture(scope="module")
def rays_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rays of three heads, and two held-out heads whose truth is made up."""
    folder = tmp_path_factory.mktemp("rays")
    rays._make_shard((settings(folder).ray_plan(), 0, 3, folder / "rays-000000.safetensors"))
    latents = torch.nn.functional.normalize(torch.randn(2, Z_DIM, generator=torch.Generator().manual_seed(0)), dim=1)
    latents = latents * Z_DIM**0.5
    masks = torch.zeros(2, len(YAWS), 1, 64, 64)
    masks[..., 16:48, 16:48] = 1
    truth = {"latents": latents, "images": torch.zeros(2, len(YAWS), 3, 64, 64), "masks": masks}
    looks = rays.looks_of(default_registry().load("dataset", "heads360").procedural())
    about = {"about": {"version": _VERSION, "yaws": list(YAWS)}, "looks": looks}
    write_tensors(folder / "held-out-2-64.safetensors", truth, about)
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
    (tmp_path / "rays").mkdir()
    (tmp_path / "rays" / "heads360").symlink_to(rays_folder)
    looked_into: list[Path] = []

    def noted(plan: Any, folder: Path, workers: int) -> Any:
        looked_into.append(folder)
        return rays.prepare_rays(plan, rays_folder, workers)

    monkeypatch.setattr("toolkit_plugins.panohead.training.job.prepare_rays", noted)
    heads = settings(rays_folder).heads.model_copy(update={"folder": None})
    MiniJob(settings(rays_folder).model_copy(update={"heads": heads}))
    assert looked_into == [tmp_path / "rays" / "heads360"]


@pytest.mark.parametrize("below", ["", "rays", "rays/heads360"])
def test_a_file_in_the_way_of_the_rays_is_one_sentence(tmp_path: Path, below: str) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(InputError, match="cache is not a folder"):
        rays.prepare_rays(settings(tmp_path).ray_plan(), tmp_path / "cache" / below)


def test_rays_of_heads_that_have_changed_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = settings(tmp_path).ray_plan()
    rays._make_shard((plan, 0, 3, tmp_path / "rays-000000.safetensors"))
    made: list[int] = []
    monkeypatch.setattr(rays, "_make_shard", lambda work: made.append(work[1]))
    monkeypatch.setattr(rays, "ProcessPoolExecutor", lambda *_, **__: ThreadPoolExecutor(1))
    rays.prepare_rays(plan, tmp_path, shard=3)
    assert made == []
    looks = rays.looks_of(default_registry().load("dataset", "heads360").procedural())
    monkeypatch.setattr(rays, "looks_of", lambda _: [255 - value for value in looks])
    rays.prepare_rays(plan, tmp_path, shard=3)
    assert made == [0]


def test_patches_join_the_rays_later_and_the_end_is_evaluated(straight: Path) -> None:
    *early, last = lines(straight, "losses")
    assert len(early) == 2 and {"colour", "mask", "free_space", "occupancy"} <= early[0].keys()
    assert not any(name.startswith("patch") for losses in early for name in losses)
    assert any(name.startswith("patch") for name in last)
    (scores,) = lines(straight, "evaluation")
    assert scores.keys() == {"psnr", "psnr_head"}
    with Image.open(straight / "sheets" / "step-00000003.png") as picture:
        truth, made = np.split(np.asarray(picture), 2)
    assert (truth == 128).all() and truth.shape == (64, 2 * len(YAWS) * 64, 3)
    assert made.std() > 0


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
    generator.decoder.net[2].bias[0] = -10  # three steps leave some fog
    raw = generator.render(generator.planes(ws[:1]), ws[:1], away).raw
    torch.testing.assert_close(raw, torch.ones_like(raw), rtol=0, atol=1e-4)


COMPILED = {
    "backbone.mapping", "backbone.synthesis", "decoder", "superresolution.block0", "superresolution.block1",
}  # fmt: skip


def switched(folder: Path, engine: dict[str, Any] | None = None, **changes: Any) -> MiniJob:
    """A job that looks at everything from its first step on, fog in free space included."""
    network = NETWORK | {"density_scale": 4}
    early = {"batch": 4, "patches_from": 0, "joint_from": 0, "patch_heads": 2, "network": network}
    early["engine"] = engine or {}
    return MiniJob(settings(folder, **early | changes))


def gradients(job: MiniJob, step: int = 0) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Losses and gradients of a step that is not taken."""
    job.stepper.update = lambda *_: None  # type: ignore[method-assign]  # it would clear them
    losses = job.training_step(job.batch(step), step)
    found = job.generator.named_parameters()
    return dict(losses), {name: one.grad for name, one in found if one.grad is not None}


@pytest.mark.parametrize(
    ("parts", "changes"),
    [
        (2, {}),
        (4, {}),  # two parts see no patch
        (2, {"patch_heads": 3}),  # one part sees more than the other
        (2, {"patch_heads": 4, "joint_from": 1, "patch_samples": [4, 0]}),
        (2, {"frame_every": 2}),
        (2, {"patches_from": 1}),
        (2, {"coarse_every": 2, "march_every": 4}),
        (2, {"march_every": 2, "losses": {"residual": 0.1, "patch_perceptual": 0.1, "perceptual": "pyramid"}}),
    ],
    ids=["even", "without", "uneven", "alone", "frame", "rays", "coarse", "guided"],
)
def test_parts_of_a_batch_teach_what_the_whole_does(rays_folder: Path, parts: int, changes: dict[str, Any]) -> None:
    for step in (0, 1):
        losses, wanted = gradients(switched(rays_folder, **changes), step)
        losses_of_parts, found = gradients(switched(rays_folder, {"accumulate": parts}, **changes), step)
        assert losses["free_space"] > 0 and losses["occupancy"] > 0
        assert losses_of_parts == pytest.approx(losses, rel=1e-5, abs=1e-7)
        assert found.keys() == wanted.keys()
        for name, gradient in wanted.items():
            scale = float(gradient.abs().max())
            torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-5 * scale, msg=name)


def test_every_head_gets_a_code_of_its_own(rays_folder: Path) -> None:
    job = switched(rays_folder, batch=2, losses={"residual": 0.1})
    assert job.codes is not None and not job.codes.weight.any()
    batch = job.batch(0)
    losses = job.training_step(batch, 0)
    assert losses["residual"] == 0
    moved = job.codes.weight.abs().sum(1) > 0
    assert moved.nonzero()[:, 0].tolist() == sorted(batch.heads.tolist())
    assert set(job.modules()) == {"generator", "codes"}


class MadeUpMeanings:
    """Stands in for codes of traits, which these heads do not have."""

    def __init__(self, heads: object, plan: object, more: int, w_dim: int, folder: Path) -> None:
        self.source, self.w_dim, self.codes = torch.Generator().manual_seed(1), w_dim, torch.zeros(3, w_dim)

    def codes_of(self, latents: Tensor) -> Tensor:
        return torch.zeros(len(latents), self.w_dim)

    def some(self, step: int, count: int) -> tuple[Tensor, Tensor]:
        return torch.randn(count, Z_DIM, generator=self.source), torch.zeros(count, self.w_dim)


def test_the_mapping_learns_alone(
    rays_folder: Path, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit_plugins.panohead.training.job.Meanings", MadeUpMeanings)
    heads = settings(rays_folder).heads.model_dump() | {"traits": True}
    wider = NETWORK | {"mapping_hidden": 20, "mapping_last": "linear"}
    start = str(straight / "weights.safetensors")
    train(MiniJob(settings(rays_folder, mapping_alone=True, start=start, heads=heads, network=wider)), tmp_path / "run")
    losses = lines(tmp_path / "run", "losses")
    assert all(step.keys() == {"mapping"} for step in losses)
    assert losses[-1]["mapping"] < losses[0]["mapping"]  # type: ignore[index]
    begun, learnt = load_file(start), load_file(tmp_path / "run" / "weights.safetensors")
    moved = {name for name in learnt if name not in begun or not torch.equal(begun[name], learnt[name])}
    assert moved and all(name.startswith("backbone.mapping.") for name in moved)


def test_codes_of_traits_are_blurred_alike_in_every_part_of_a_batch(
    rays_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit_plugins.panohead.training.job.Meanings", MadeUpMeanings)
    heads = settings(rays_folder).heads.model_dump() | {"traits": True, "code_noise": 0.2}
    job = MiniJob(settings(rays_folder, heads=heads, network=NETWORK | {"w_dim": 300}))
    whole = draw(job.generator, job.batch(0), (4, 2), torch.Generator().manual_seed(0)).heads
    codes, _ = job._codes_of(whole, 5)
    assert float(codes.std()) == pytest.approx(0.2, rel=0.1)
    part, _ = job._codes_of(changed(whole, lambda tensor: tensor[1:]), 5)
    assert torch.equal(part, codes[1:])
    assert not torch.equal(job._codes_of(whole, 6)[0], codes)


def test_the_mapping_alone_needs_traits_and_weights(rays_folder: Path) -> None:
    with pytest.raises(ValidationError, match="mapping_alone needs"):
        settings(rays_folder, mapping_alone=True)


def test_a_patch_by_known_depth_shows_what_marching_shows(rays_folder: Path) -> None:
    job = switched(rays_folder)
    generator, patch = job.generator, job.batch(0).patch
    assert patch is not None and patch.depths is not None
    ball = 0.2
    patch = patch._replace(rays=patch.rays, depths=hits_of_ball(patch.rays, ball))
    hard = lambda points: (1e6 * (ball - points.norm(dim=-1)), points.transpose(1, 2).repeat(1, 2, 1)[:, :4])  # noqa: E731
    with pytest.MonkeyPatch.context() as change:
        change.setattr(objective, "_field", lambda *_: hard)
        ws = generator.backbone.mapping.w_avg.expand(2, generator.num_ws, -1)
        volumes = generator.volumes(torch.zeros(2, *generator.spec.planes_shape))
        source = torch.Generator().manual_seed(0)
        samples = guided.guided_samples(patch.depths, guided.GuidedSettings(2.28, 3.12), source)
        fast = objective.guided_patch(generator, volumes, ws, patch, samples)
        settings = replace(generator.march_settings, count=200, importance=100)
        slow = objective.patch_render(generator, volumes, ws, patch, settings, Draws(generator=source))
    seen = (patch.depths > 0).reshape(2, 1, 6, 6)
    assert 0 < seen.sum() < seen.numel()
    assert (fast.opacity - seen.float()).abs().mean() < 0.03 and (slow.opacity - fast.opacity).abs().mean() < 0.05
    assert ((fast.raw - slow.raw).abs() * seen).mean() < 0.04


def test_a_coarse_patch_shows_the_same_place_with_fewer_rays(rays_folder: Path) -> None:
    batches = switched(rays_folder).batches
    fine, coarse = (
        batches.patch_batch(np.array([0, 1]), np.random.default_rng(0), coarse=coarse) for coarse in (False, True)
    )
    assert torch.equal(fine.image, coarse.image) and fine.places.shape[1] == 2 * coarse.places.shape[1]
    torch.testing.assert_close(coarse.places, F.avg_pool2d(fine.places.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1))
    assert fine.depths is not None and coarse.depths is None


def hits_of_ball(rays: Rays, radius: float) -> Tensor:
    """Depths [B, R] at which rays hit a ball round the origin, 0 for a miss."""
    middle = -(rays.origins * rays.directions).sum(-1)
    miss = (rays.origins + middle[..., None] * rays.directions).square().sum(-1)
    return torch.where(miss < radius**2, middle - (radius**2 - miss).clamp_min(0).sqrt(), 0)


@pytest.mark.parametrize("raw_size", [32, 16, 24])
def test_a_patch_as_large_as_the_picture_is_enlarged_like_it(rays_folder: Path, raw_size: int) -> None:
    config = settings(rays_folder, network=NETWORK | {"raw_size": raw_size}).generator_config(8, ())
    generator = build(config)
    features, ws = torch.rand(1, 4, raw_size, raw_size), torch.randn(1, generator.num_ws, 12)
    patch = objective.enlarged(generator, features[:, :3], features, ws, 64)
    torch.testing.assert_close(patch, generator.superresolution(features[:, :3], features, ws), rtol=0, atol=1e-5)


def test_a_head_that_no_camera_sees_from_the_front_keeps_rays_anywhere(rays_folder: Path) -> None:
    job = switched(rays_folder, face_share=1.0)
    facing = job.rays.facing.copy()
    facing[1] = False
    behind = replace(job.batches, rays=replace(job.rays))
    behind.rays.__dict__["facing"] = facing
    heads = np.array([0, 1])
    places, faces = (batches.ray_batch(heads, np.random.default_rng(5)).places for batches in (behind, job.batches))
    assert torch.equal(places[0], faces[0]) and not torch.equal(places[1], faces[1])
    stored = {tuple(place) for place in job.rays.places[1].flatten(0, 1).tolist()}
    assert {tuple(place) for place in places[1].tolist()} <= stored


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"patch_side": 9}, r"patch_side must be from 6 to 8 \(heads\.patch\), got 9"),
        ({"patch_side": 5}, r"patch_side must be from 6 to 8 \(heads\.patch\), got 5"),
        ({"heads": {"patch": 33}}, "heads.patch must be at most 32, the side of the ray grid, got 33"),
    ],
)
def test_patches_that_cannot_be_cut_are_refused(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        settings(tmp_path, **change)
    if "patch_side" in change:
        settings(tmp_path, **change, patches_from=1.0)  # no step cuts any


def test_the_smallest_patch_teaches_with_finite_losses(rays_folder: Path) -> None:
    losses, found = gradients(switched(rays_folder, patch_side=6))
    assert all(np.isfinite(value) for value in losses.values()) and losses["patch_image"] > 0
    assert all(gradient.isfinite().all() for gradient in found.values())


def test_heads_that_cannot_be_shared_out_are_refused(rays_folder: Path) -> None:
    job = switched(rays_folder, {"accumulate": 2}, batch=3)
    with pytest.raises(InputError, match="a batch of 3 cannot be worked through in 2 equal parts"):
        job.training_step(job.batch(0), 0)


@pytest.mark.parametrize(("precision", "kind"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_networks_compute_in_16_bits_and_rays_in_32(
    rays_folder: Path, monkeypatch: pytest.MonkeyPatch, precision: str, kind: torch.dtype
) -> None:
    along_rays: list[torch.dtype] = []
    for module in (guided, marching):

        def noted(depths: Tensor, densities: Tensor, real: Any = module.interval_weights) -> Tensor:
            along_rays.extend((depths.dtype, densities.dtype))
            return real(depths, densities)

        monkeypatch.setattr(module, "interval_weights", noted)
    enlarged: list[torch.dtype] = []

    def enlarge(image: Tensor, kernel: Tensor, real: Any = synthesis.upsample) -> Tensor:
        enlarged.append((result := real(image, kernel)).dtype)
        return result

    monkeypatch.setattr(synthesis, "upsample", enlarge)
    job, seen = switched(rays_folder, {"precision": precision}), {}
    places = {"backbone.mapping": None, "backbone.synthesis.b32": 1, "superresolution.block1": 1}
    for name, image in {**places, "backbone.synthesis.b32.conv1": None, "superresolution.block1.conv0": None}.items():

        def look(_: nn.Module, __: Any, out: Any, name: str = name, image: int | None = image) -> None:
            seen[name] = (out if image is None else out[image]).dtype

        job.generator.get_submodule(name).register_forward_hook(look)
    losses = job.training_step(job.batch(0), 0)
    assert set(along_rays) == {torch.float32} and len(along_rays) == 6
    assert set(enlarged) == {torch.float32}  # running images, of planes and of pictures
    assert seen == {
        **dict.fromkeys(places, torch.float32),
        "backbone.synthesis.b32.conv1": kind,
        "superresolution.block1.conv0": kind,
    }
    plain = switched(rays_folder)
    full = plain.training_step(plain.batch(0), 0)
    assert losses == pytest.approx(full, rel=0.05, abs=1e-3) and losses != full
    assert all(value.dtype == torch.float32 for value in job.generator.state_dict().values())


def test_a_16_bit_training_goes_on_with_its_loss_scale(rays_folder: Path, tmp_path: Path) -> None:
    whole, out = switched(rays_folder, {"precision": "fp16"}), tmp_path / "run"
    for step in range(2):
        whole.training_step(whole.batch(step), step)
    train(switched(rays_folder, {"precision": "fp16"}), out, max_steps=2)
    job = switched(rays_folder, {"precision": "fp16"})
    assert job.state()["stepper"] != whole.state()["stepper"]
    train(job, out, resume=True, max_steps=0)
    assert job.state()["stepper"] == whole.state()["stepper"]


def test_checkpointed_activations_change_no_weight(rays_folder: Path) -> None:
    plain, twice = switched(rays_folder), switched(rays_folder, {"checkpoint_activations": True})
    calls: Counter[str] = Counter()
    for name in ("backbone.synthesis.b32.conv1", "superresolution.block0.conv0"):
        layer = twice.generator.get_submodule(name)
        layer.register_forward_pre_hook(lambda *_, name=name: calls.update([name]))
    for step in range(2):
        assert twice.training_step(twice.batch(step), step) == plain.training_step(plain.batch(step), step)
    # super-resolution also enlarges an empty picture
    assert calls == {"backbone.synthesis.b32.conv1": 4, "superresolution.block0.conv0": 8}
    for one, other in ((plain.generator, twice.generator), (plain.average.module, twice.average.module)):
        expected = one.state_dict()
        assert all(torch.equal(value, expected[name]) for name, value in other.state_dict().items())


def test_the_switch_compiles_what_steps_call(rays_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda module: asked.append(module))
    switched(rays_folder)
    assert asked == []
    job = switched(rays_folder, {"compile": True})
    places = {module: name for name, module in job.generator.named_modules()}
    assert {places[module] for module in asked} == COMPILED


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # Dynamo looks at it where a compiled part's inputs were made
def test_a_compiled_generator_runs_and_learns_the_same(rays_folder: Path, calls: Counter[nn.Module]) -> None:
    job, plain = switched(rays_folder, {"compile": True}), switched(rays_folder)
    for step in range(2):
        compiled = job.training_step(job.batch(step), step)
        assert compiled == pytest.approx(plain.training_step(plain.batch(step), step), rel=1e-3, abs=1e-5)
    assert {name for name, module in job.generator.named_modules() if calls[module]} == COMPILED


def test_workers_make_the_same_batches(rays_folder: Path) -> None:
    job = switched(rays_folder, {"workers": 2})
    assert job.workers == 2
    made = pickle.loads(pickle.dumps(job.batch_maker()))(1)
    assert made.patch is not None
    for found, wanted in zip(flat(made), flat(job.batch(1)), strict=True):
        assert torch.equal(found, wanted)


def flat(batch: Any) -> list[Tensor]:
    return [batch] if isinstance(batch, Tensor) else [tensor for part in batch for tensor in flat(part)]
