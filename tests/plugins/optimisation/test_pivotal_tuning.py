from __future__ import annotations

import pytest
import torch

from toolkit.camera import Camera
from toolkit.inversion import Inversion
from toolkit.losses.reconstruction import l2
from toolkit.testing.spherical import SphericalGenerator
from toolkit_plugins.optimisation.pivotal_tuning import open_pti

OPTIONS = {
    "perceptual": "pyramid",
    "samples": 64,
    "steps": 8,
    "lr": 0.05,
    "shared": 0.3,
    "average_weight": 0.003,
    "layer_weight": 0.003,
    "tuning_steps": 8,
    "tuning_lr": 2e-3,
    "view_weight": 0.0,
    "view_interval": 1,
}


@pytest.fixture(scope="module")
def found(generator, photo, camera) -> Inversion:
    return open_pti(generator, None, OPTIONS).invert(photo, camera, generator)


def test_tuning_comes_closer_than_its_pivot(found, generator, photo, camera):
    with torch.no_grad():
        pivot = generator.render(generator.planes(found.ws), found.ws, camera).image
    assert l2(found.render(generator).image, photo) < 0.8 * l2(pivot, photo)


def test_the_delta_covers_what_is_tunable_and_the_planes_are_the_tuned_ones(found, generator):
    tunable = dict(generator.tunable_parameters())
    assert found.tuned
    assert set(found.tuned) <= set(tunable)
    tuned = found.tuned_generator(generator)
    with torch.no_grad():
        assert torch.equal(tuned.planes(found.ws), found.planes)
    assert found.provenance["tuning_steps"] == 8
    assert found.timings["tuning"] > 0


def test_nothing_of_the_callers_generator_is_changed(photo, camera):
    generator = SphericalGenerator().train()
    state = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    open_pti(generator, None, {**OPTIONS, "view_weight": 1.0}).invert(photo, camera, generator)
    assert all(torch.equal(tensor, state[name]) for name, tensor in generator.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in generator.parameters())
    assert generator.training


def test_same_seed_same_bits(found, generator, photo, camera):
    options = {**OPTIONS, "steps": 3, "tuning_steps": 3, "view_weight": 1.0, "locality_weight": 0.1}
    first, second = (open_pti(generator, None, options).invert(photo, camera, generator) for _ in range(2))
    assert first.is_identical(second)


def test_a_saved_result_renders_the_same_elsewhere(found, generator, tmp_path):
    again = Inversion.load(found.save(tmp_path / "head"))
    assert again.is_identical(found)
    assert torch.equal(again.render(SphericalGenerator()).image, found.render(generator).image)


def test_it_stops_before_an_update_once_it_is_good_enough(generator, photo, camera):
    options = {**OPTIONS, "early_stop": 100.0}
    stopped = open_pti(generator, None, options).invert(photo, camera, generator)
    assert stopped.provenance["tuning_steps"] == 0
    assert stopped.tuned is None


def test_steps_of_both_stages_are_counted_together(generator, photo, camera):
    seen = []
    method = open_pti(generator, None, {**OPTIONS, "steps": 2, "tuning_steps": 3})
    method.on_step = lambda step, total, losses: seen.append((step, total))
    method.invert(photo, camera, generator)
    assert seen == [(step, 5) for step in range(1, 6)]


def moved(inversion: Inversion, generator: SphericalGenerator, view: Camera, ws: torch.Tensor) -> torch.Tensor:
    """How far tuning changed a view of a code."""
    tuned = inversion.tuned_generator(generator)
    with torch.no_grad():
        before, after = (each.render(each.planes(ws), ws, view).image for each in (generator, tuned))
    return l2(after, before)


def test_the_view_term_keeps_the_back_of_the_head(found, generator, photo, camera):
    kept = open_pti(generator, None, {**OPTIONS, "view_weight": 5.0, "view_interval": 1}).invert(
        photo, camera, generator
    )
    back = Camera.orbit(yaw=0.3 + 3.14)
    assert moved(kept, generator, back, kept.ws) < 0.5 * moved(found, generator, back, found.ws)


def test_the_locality_term_keeps_other_heads(found, generator, photo, camera):
    options = {**OPTIONS, "locality_weight": 1.0, "view_interval": 1}
    kept = open_pti(generator, None, options).invert(photo, camera, generator)
    z = torch.randn(4, 16, generator=torch.Generator().manual_seed(11))
    with torch.no_grad():
        others = generator.mapping(z, generator.spec.front_camera)
    view = camera.expand(4)
    assert moved(kept, generator, view, others) < 0.5 * moved(found, generator, view, others)
