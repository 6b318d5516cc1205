from __future__ import annotations

import pytest
import torch

from toolkit.camera import Camera, rotation_distance
from toolkit.errors import CapabilityError, InputError, WeightsError
from toolkit.inversion import Inversion
from toolkit.latents import latent_statistics
from toolkit.losses.reconstruction import l2
from toolkit.testing.spherical import SphericalGenerator
from toolkit_plugins.optimisation.mean import open_mean
from toolkit_plugins.optimisation.wplus import open_wplus

QUICK = {
    "perceptual": "pyramid",
    "samples": 64,
    "lr": 0.05,
    "shared": 0.3,
    "average_weight": 0.003,
    "layer_weight": 0.003,
}


def test_it_finds_a_code_that_shows_the_photo_better_than_the_mean_head(generator, photo, camera):
    mean = open_mean(generator, None, {"samples": 64}).invert(photo, camera, generator)
    found = open_wplus(generator, None, {**QUICK, "steps": 40}).invert(photo, camera, generator)
    before, after = (l2(each.render(generator).image, photo) for each in (mean, found))
    assert after < 0.25 * before


def test_the_result_says_how_it_was_made(generator, photo, camera, tmp_path):
    found = open_wplus(generator, None, {**QUICK, "steps": 2, "seed": 9}).invert(photo, camera, generator)
    assert found.method == "wplus"
    assert found.fingerprint == generator.spec.fingerprint
    assert found.options["steps"] == 2
    assert found.provenance["seed"] == 9
    assert found.provenance["threads"] == torch.get_num_threads()
    assert torch.equal(found.camera.label, camera.label)
    assert found.timings["total"] >= found.timings["projection"] > 0
    assert Inversion.load(found.save(tmp_path / "head")).is_identical(found)


def test_same_seed_same_bits_other_seed_other_bits(generator, photo, camera):
    def run(seed: int) -> Inversion:
        torch.rand(3)  # whatever the global state is
        return open_wplus(generator, None, {**QUICK, "steps": 4, "seed": seed}).invert(photo, camera, generator)

    assert run(1).is_identical(run(1))
    assert not torch.equal(run(1).ws, run(2).ws)


def test_nothing_of_the_callers_is_changed(photo, camera):
    generator = SphericalGenerator()
    state = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    image, label = photo.clone(), camera.label.clone()
    random = torch.random.get_rng_state()
    options = {**QUICK, "steps": 3, "camera_lr": 0.01}
    open_wplus(generator, None, options).invert(photo, camera, generator)
    assert torch.equal(random, torch.random.get_rng_state())
    assert all(torch.equal(tensor, state[name]) for name, tensor in generator.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in generator.parameters())
    assert torch.equal(photo, image)
    assert torch.equal(camera.label, label)


@pytest.mark.parametrize("guard", [torch.no_grad, torch.inference_mode])
def test_it_works_where_the_caller_switched_gradients_off(generator, photo, camera, guard):
    method = open_wplus(generator, None, {**QUICK, "steps": 2})
    with guard():
        method.mask = torch.ones(1, 1, 48, 48)
        found = method.invert(photo.clone(), Camera(camera.label.clone()), generator)
    assert torch.isfinite(found.ws).all()


def layers_apart(inversion: Inversion) -> float:
    return float((inversion.ws - inversion.ws.mean(1, keepdim=True)).abs().max())


def test_w_shares_one_w_and_wplus_does_not(generator, photo, camera):
    run = {
        shared: open_wplus(generator, None, {**QUICK, "steps": 12, "shared": shared}).invert(photo, camera, generator)
        for shared in (0.0, 0.5, 1.0)
    }
    assert layers_apart(run[1.0]) < 1e-6
    assert layers_apart(run[0.5]) > 1e-3
    assert layers_apart(run[0.0]) > layers_apart(run[0.5])


def test_a_strong_pull_to_the_average_keeps_the_code_there(generator, photo, camera):
    average = latent_statistics(generator, samples=64).average

    def offset(weight: float) -> torch.Tensor:
        options = {**QUICK, "steps": 25, "average_weight": weight}
        return (open_wplus(generator, None, options).invert(photo, camera, generator).ws - average).norm()

    assert offset(100.0) < 0.3 * offset(0.0)


def test_only_what_the_mask_shows_counts(generator, photo, camera):
    spoiled = photo.clone()
    spoiled[..., :24] = 1.0
    mask = torch.ones(1, 1, 48, 48)
    mask[..., :24] = 0
    method = open_wplus(generator, None, {**QUICK, "steps": 3})
    method.mask = mask
    clean, dirty = (method.invert(image, camera, generator) for image in (photo, spoiled))
    assert torch.equal(clean.ws, dirty.ws)
    assert clean.provenance["masked"] is True


def test_steps_are_reported_in_order_with_losses(generator, photo, camera):
    seen = []
    method = open_wplus(generator, None, {**QUICK, "steps": 3})
    method.on_step = lambda step, total, losses: seen.append((step, total, sorted(losses)))
    method.invert(photo, camera, generator)
    assert [entry[:2] for entry in seen] == [(1, 3), (2, 3), (3, 3)]
    assert {"perceptual", "pixel"} <= set(seen[0][2])


def test_an_interruption_comes_through(generator, photo, camera):
    def interrupt(step, total, losses):
        raise KeyboardInterrupt

    method = open_wplus(generator, None, {**QUICK, "steps": 3})
    method.on_step = interrupt
    with pytest.raises(KeyboardInterrupt):
        method.invert(photo, camera, generator)


def test_a_wrong_camera_is_mended_when_asked_to(generator, photo, camera):
    wrong = Camera.orbit(yaw=0.42, pitch=0.02)
    options = {**QUICK, "steps": 60, "camera_lr": 0.01, "lr": 0.02}
    found = open_wplus(generator, None, options).invert(photo, wrong, generator)
    assert rotation_distance(found.camera, camera) < 0.7 * rotation_distance(wrong, camera)
    assert torch.allclose(found.camera.checked().label, found.camera.label, atol=1e-4)


def test_smaller_and_larger_photos_are_brought_to_the_generators_size(generator, photo, camera):
    larger = torch.nn.functional.interpolate(photo, scale_factor=2, mode="nearest")
    method = open_wplus(generator, None, {**QUICK, "steps": 2})
    assert torch.equal(method.invert(larger, camera, generator).ws, method.invert(photo, camera, generator).ws)
    method.invert(photo[..., ::2, ::2], camera, generator)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.zeros(2, 3, 48, 48), r"shape \[1, 3, S, S\], got \[2, 3, 48, 48\]"),
        (torch.zeros(1, 3, 48, 32), r"shape \[1, 3, S, S\]"),
        (torch.full((1, 3, 48, 48), 255.0), r"values in \[-1, 1\]"),
        (torch.full((1, 3, 48, 48), float("nan")), r"values in \[-1, 1\]"),
    ],
)
def test_images_that_cannot_be_inverted_are_refused(generator, camera, image, message):
    with pytest.raises(InputError, match=message):
        open_wplus(generator, None, QUICK).invert(image, camera, generator)


def test_several_cameras_are_refused(generator, photo, camera):
    with pytest.raises(InputError, match="one camera, got 2"):
        open_wplus(generator, None, QUICK).invert(photo, camera.expand(2), generator)


def test_full_scale_settings_ask_for_their_perceptual_weights(generator, photo, camera):
    with pytest.raises(WeightsError, match="vgg16"):
        open_wplus(generator, None, {"preset": "panohead-wplus"}).invert(photo, camera, generator)


def test_synthesis_noise_needs_a_generator_that_has_some(generator, photo, camera):
    with pytest.raises(CapabilityError, match="no synthesis noise"):
        open_wplus(generator, None, {**QUICK, "noise_buffers": True}).invert(photo, camera, generator)


def test_camera_adaptation_needs_a_generator_that_has_one(generator, photo, camera):
    with pytest.raises(CapabilityError, match="no camera self-adaptation"):
        open_wplus(generator, None, {**QUICK, "adapt_camera": True}).invert(photo, camera, generator)


def test_a_projection_that_runs_away_stops_with_advice(generator, photo, camera):
    with pytest.raises(InputError, match=r"diverged at step .*'lr'"):
        open_wplus(generator, None, {**QUICK, "lr": 1000.0, "average_weight": 1e38, "steps": 5}).invert(
            photo, camera, generator
        )
