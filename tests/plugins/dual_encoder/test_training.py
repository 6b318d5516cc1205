"""The three trainings on the smallest networks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_training import run, tiny_settings
from torch import nn

from toolkit.camera import Camera
from toolkit.encoders import read_encoder
from toolkit.encoders.training.batches import on_device
from toolkit.errors import ConfigError
from toolkit.interfaces import Code
from toolkit.testing.spherical import SphericalGenerator
from toolkit_plugins.dual_encoder.methods import open_dual_encoder
from toolkit_plugins.dual_encoder.training.job import dual_training, encoder1_training, encoder2_training
from toolkit_plugins.dual_encoder.training.joint import around_losses, others_losses


def weights(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items() if "num_batches" not in name}


def changed(before: dict[str, torch.Tensor], module: nn.Module) -> bool:
    return any(not torch.equal(value, before[name]) for name, value in weights(module).items())


def test_stages_train_their_own_networks_only(spherical: SphericalGenerator, photos: Path):
    job = dual_training(tiny_settings(photos), "cpu", spherical)
    adversary = job.recipe.opponents["discriminator"]
    assert [stage.name for stage in job.stages] == ["encoder1/joint", "encoder2/joint"]
    visible, occluded = job.network.visible, job.network.occluded
    before = [weights(each) for each in (visible, occluded, adversary.discriminator)]
    logged = run(job, 2)
    assert [changed(*each) for each in zip(before, (visible, occluded, adversary.discriminator), strict=True)] == [
        True, False, False,
    ]  # fmt: skip
    assert {"encoder1/joint/l2", "encoder1/joint/first_perceptual"} <= set(logged[0])
    assert not any("adversarial" in name or "discriminator" in name for name in logged[0])
    before = [weights(each) for each in (visible, occluded, adversary.discriminator)]
    logged = run(job, start=2)
    assert [changed(*each) for each in zip(before, (visible, occluded, adversary.discriminator), strict=True)] == [
        False, True, True,
    ]  # fmt: skip
    assert {"encoder2/joint/adversarial", "discriminator/discriminator", "discriminator/r1"} <= set(logged[0])
    assert "discriminator/r1" not in logged[1]
    assert all(parameter.requires_grad is False for parameter in spherical.parameters())
    early, late = job.sheet(2), job.sheet(4)
    assert late.shape == (early.shape[0], 3 * early.shape[1], 3)


@pytest.mark.parametrize(("start", "same"), [("encoder1", True), ("itself", False)])
def test_encoder_2_begins_where_it_is_told_to(spherical: SphericalGenerator, photos: Path, start: str, same: bool):
    job = dual_training(tiny_settings(photos, f"encoder2_from={start}", "encoder2.joint.rate=1e-12"), "cpu", spherical)
    run(job, 3)
    first, second = (weights(each.psp_encoder) for each in (job.network.visible, job.network.occluded))
    close = [torch.allclose(first[name], second[name], atol=1e-6) for name in first if "running" not in name]
    assert all(close) is same


def test_a_training_that_stopped_goes_on_alike(spherical: SphericalGenerator, photos: Path):
    whole, broken, resumed = (dual_training(tiny_settings(photos), "cpu", spherical) for _ in range(3))
    torch.manual_seed(0)
    expected = run(whole)
    torch.manual_seed(0)
    run(broken, 3)
    for name, module in broken.modules().items():
        resumed.modules()[name].load_state_dict(module.state_dict())
    for name, optimiser in broken.optimisers().items():
        resumed.optimisers()[name].load_state_dict(optimiser.state_dict())
    resumed.load_state(broken.state())
    torch.manual_seed(0)  # nothing is drawn from the global state
    assert run(resumed, start=3) == expected[3:]
    assert not changed(weights(whole.network), resumed.network)


def test_the_encoders_can_be_trained_one_by_one(spherical: SphericalGenerator, photos: Path, tmp_path: Path):
    first = encoder1_training(tiny_settings(photos), "cpu", spherical)
    assert not first.recipe.opponents
    run(first)
    first.export(tmp_path / "encoder1.safetensors")
    second = encoder2_training(tiny_settings(photos, f"start={tmp_path / 'encoder1.safetensors'}"), "cpu", spherical)
    ours, theirs = (weights(job.network.psp_encoder) for job in (second, first))
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-2) for name in ours)
    run(second)
    second.export(tmp_path / "encoder2.safetensors")
    file = read_encoder(tmp_path / "encoder2.safetensors", "encoder2")
    assert file.part("discriminator") and file.part("psp_encoder") and file.part("triplanenet_encoder")
    assert file.config["discriminator"]["domain"] == "planes"


def test_an_encoder_1_of_its_own_run_becomes_half_of_a_dual_encoder(
    spherical: SphericalGenerator, photos: Path, tmp_path: Path
):
    first = encoder1_training(tiny_settings(photos), "cpu", spherical)
    run(first)
    first.export(tmp_path / "encoder1.safetensors")
    start = (f"start={tmp_path / 'encoder1.safetensors'}", "encoder1.joint.steps=0")
    both = dual_training(tiny_settings(photos, *start), "cpu", spherical)
    assert [stage.name for stage in both.stages] == ["encoder2/joint"]
    before = weights(both.network.occluded)
    run(both)
    assert changed(before, both.network.occluded)
    both.export(tmp_path / "dual-encoder.safetensors")
    alone, joined = (read_encoder(tmp_path / f"{name}.safetensors") for name in ("encoder1", "dual-encoder"))
    for part in ("psp_encoder", "triplanenet_encoder"):
        mine, theirs = joined.part(f"encoder1.{part}"), alone.part(part)
        assert theirs and all(torch.equal(mine[name], value) for name, value in theirs.items())
    method = open_dual_encoder(spherical, tmp_path / "dual-encoder.safetensors", {"mask.resolution": 12})
    photo = both.held_out.photos.as_numbers()
    found = method.invert(photo.image[:1], Camera(photo.label[:1]), spherical)
    assert found.planes.isfinite().all()


def test_a_start_without_an_encoder_is_refused(spherical: SphericalGenerator, photos: Path, tmp_path: Path):
    from toolkit.encoders import write_encoder

    path = tmp_path / "other.safetensors"
    centre = torch.zeros(spherical.latents.num_ws, spherical.latents.w_dim)
    write_encoder(path, "other", {"something": nn.Linear(2, 2)}, centre, {}, spherical.spec, {})
    with pytest.raises(ConfigError, match="holds no encoder"):
        encoder1_training(tiny_settings(photos, f"start={path}"), "cpu", spherical)


def test_the_second_stage_learns_from_the_adversary_and_the_first_only_if_asked(
    spherical: SphericalGenerator, photos: Path
):
    for detach in (True, False):
        settings = tiny_settings(
            photos, "encoder2.joint.first=0", "encoder2.joint.images.l2=0", "encoder2.joint.images.perceptual=0",
            f"encoder2.joint.detach={str(detach).lower()}",
        )  # fmt: skip
        job = encoder2_training(settings, "cpu", spherical)
        encoder = job.network
        losses = job.stages[0].losses(job.context, on_device(job.batch(0), job.device), 0)
        assert list(losses) == ["adversarial"]
        losses["adversarial"].backward()
        assert any(each.grad is not None and bool(each.grad.any()) for each in encoder.triplanenet_encoder.parameters())
        reached = any(each.grad is not None and bool(each.grad.any()) for each in encoder.psp_encoder.parameters())
        assert reached is not detach


def test_pairs_teach_what_their_pictures_do_not_show(
    spherical: SphericalGenerator, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path))
    settings = tiny_settings(
        photos, "pairs.count=4", "pairs.resolution=8", "encoder2.joint.photos=0.5", "encoder2.joint.around=0.5"
    )
    job = encoder2_training(settings, "cpu", spherical)
    stage, batch = job.settings.encoder2.joint, job.batch(0)
    assert batch.pairs is not None and batch.yaws is not None
    ws = batch.pairs.ws
    behind = torch.full((len(ws),), 3.0)
    right = around_losses(job.context, stage, Code(ws, spherical.planes(ws)), ws, behind)
    assert set(right) == {"around_l2", "around_perceptual"} and all(float(loss) == 0 for loss in right.values())
    planes = spherical.planes(ws.flip(1) + 0.5).requires_grad_()
    wrong = around_losses(job.context, stage, Code(ws, planes), ws, behind)
    assert float(wrong["around_l2"].detach()) > 0
    wrong["around_l2"].backward()
    assert planes.grad is not None and bool(planes.grad.any())
    assert {"encoder2/joint/around_l2", "encoder2/joint/around_perceptual"} <= set(run(job, 1)[0])
    monkeypatch.setattr(job.context.images, "identity", lambda *_: torch.tensor(1.0))
    knowing = stage.model_copy(update={"images": stage.images.model_copy(update={"identity": 1.0})})
    assert set(around_losses(job.context, knowing, Code(ws, planes), ws, behind)) == set(
        right
    )  # heads have no face behind


def test_another_photo_of_a_subject_teaches_the_paper_s_encoder_too(spherical: SphericalGenerator, photos: Path):
    job = encoder2_training(tiny_settings(photos, "encoder2.joint.others=0.5"), "cpu", spherical)
    stage, batch = job.settings.encoder2.joint, job.batch(0)
    assert batch.photos is not None and batch.others is not None
    latents = spherical.spec.latents
    ws = torch.zeros(len(batch.photos.image), latents.num_ws, latents.w_dim, requires_grad=True)
    losses = others_losses(job.context, stage, Code(ws, spherical.planes(ws)), batch.others.as_numbers())
    assert set(losses) == {"others_l2", "others_perceptual"}
    losses["others_l2"].backward()
    assert ws.grad is not None and bool(ws.grad.any())
    assert set(losses) <= {name.rpartition("/")[2] for name in run(job, 1)[0]}


def test_the_discriminator_steps_with_the_encoder_however_a_batch_is_cut(spherical: SphericalGenerator, photos: Path):
    job = encoder2_training(tiny_settings(photos, "engine.accumulate=2"), "cpu", spherical)
    run(job, 2)
    assert job.recipe.opponents["discriminator"].steps == 2


@pytest.mark.parametrize("overrides", [
    ("adversary.discriminator=none",),
    ("adversary.discriminator=occlusion-images", "adversary.resolution=8"),
    ("adversary.occlusion=false",),
    ("space=z",),
    ("space=z+",),
    ("pairs.count=4", "pairs.resolution=8", "pairs.space=z+", "encoder2.joint.photos=0.5", "encoder2.joint.codes=1.0"),
])  # fmt: skip
def test_every_variant_trains_and_exports(
    spherical: SphericalGenerator, photos: Path, tmp_path: Path, overrides: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path))
    job = encoder2_training(tiny_settings(photos, *overrides), "cpu", spherical)
    before = weights(job.network)
    logged = run(job)
    assert all(value == value for step in logged for value in step.values())
    assert changed(before, job.network)
    job.export(tmp_path / "weights.safetensors")
    assert bool(job.recipe.opponents) is ("adversary.discriminator=none" not in overrides)


def test_planes_may_go_down_learned_steps(spherical: SphericalGenerator, photos: Path, tmp_path: Path):
    names = ("descent.width=4", "descent.resolution=8", "descent.perceptual=pyramid")
    both = [f"{encoder}.joint.{each}" for encoder in ("encoder1", "encoder2") for each in
            ("photos=0.5", "codes=0.1", "others=0.5", "around=0.5")]  # fmt: skip
    job = dual_training(tiny_settings(photos, *names, *both, "pairs.resolution=8"), "cpu", spherical)
    before = [weights(each) for each in (job.network.visible.descent, job.network.occluded.descent)]
    logged = run(job, 2)
    assert {"encoder1/joint/view", "encoder1/joint/others", "encoder1/joint/around", "encoder1/joint/first"} <= set(
        logged[0]
    )
    assert changed(before[0], job.network.visible.descent) and not changed(before[1], job.network.occluded.descent)
    assert "encoder2/joint/adversarial" in run(job, start=2)[0]
    job.export(tmp_path / "dual.safetensors")
    method = open_dual_encoder(spherical, tmp_path / "dual.safetensors", {"codes": {"steps": 0}})
    picture, camera = job.held_out.photos.as_numbers().image[:1], Camera(job.held_out.photos.label[:1])
    made = method.invert(picture, camera, spherical)
    assert not made.planes.requires_grad
    with torch.no_grad():
        expected = job.average.module.eval().encode(picture, camera, spherical)
    torch.testing.assert_close(made.ws, expected.ws, rtol=0, atol=2e-2)
    file = read_encoder(tmp_path / "dual.safetensors", "dual-encoder")
    assert file.config["encoder1"]["descent"]["steps"] == 2


def test_steps_learn_alone_where_no_term_reaches_the_code(spherical: SphericalGenerator, photos: Path):
    names = ("descent.width=4", "descent.resolution=8", "descent.perceptual=pyramid", "encoder1.joint.first=0")
    job = encoder1_training(tiny_settings(photos, *names), "cpu", spherical)
    before = weights(job.network.psp_encoder), weights(job.network.descent)
    run(job)
    assert not changed(before[0], job.network.psp_encoder) and changed(before[1], job.network.descent)
