"""The methods on a tiny PanoHead with random weights: the generator that they are meant for."""

from __future__ import annotations

import pytest
import torch

from toolkit.camera import Camera
from toolkit.losses.reconstruction import l2
from toolkit_plugins.optimisation.mean import open_mean
from toolkit_plugins.optimisation.pivotal_tuning import open_pti
from toolkit_plugins.optimisation.wplus import open_wplus

pytest.importorskip("toolkit_plugins.panohead")

QUICK = {
    "perceptual": "pyramid",
    "samples": 64,
    "lr": 0.05,
    "shared": 0.3,
    "average_weight": 0.003,
    "layer_weight": 0.003,
}


@pytest.fixture(scope="module")
def panohead():
    from toolkit_plugins.panohead.config import PanoHeadConfig
    from toolkit_plugins.panohead.generator import PanoHead

    config = PanoHeadConfig(
        z_dim=8,
        w_dim=16,
        image_size=32,
        raw_size=16,
        channel_base=256,
        channel_max=8,
        plane_size=16,
        feature_channels=4,
        decoder_hidden=8,
        background_channel_base=64,
        background_channel_max=4,
        sr_kind="2X",
        sr_widths=(8, 4),
        samples=8,
        importance_samples=4,
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return PanoHead(config).eval()


@pytest.fixture(scope="module")
def view(panohead) -> Camera:
    return Camera.orbit(0.2)


@pytest.fixture(scope="module")
def seen(panohead, view) -> torch.Tensor:
    z = torch.randn(1, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ws = panohead.mapping(z, panohead.spec.front_camera)
        return panohead.render(panohead.planes(ws), ws, view).image.clamp(-1, 1)


def test_projection_and_tuning_each_come_closer(panohead, seen, view):
    mean = open_mean(panohead, None, {"samples": 64}).invert(seen, view, panohead)
    options = {**QUICK, "steps": 30}
    wplus = open_wplus(panohead, None, {**options, "preset": "default"}).invert(seen, view, panohead)
    pti = open_pti(panohead, None, {**options, "preset": "default", "tuning_steps": 20}).invert(seen, view, panohead)
    errors = [float(l2(each.render(panohead).image, seen)) for each in (mean, wplus, pti)]
    assert errors[1] < 0.7 * errors[0]
    assert errors[2] < 0.9 * errors[1]
    assert pti.tuned is not None
    assert not any(name.startswith("backbone.mapping.") for name in pti.tuned)
    assert wplus.provenance["near"] == 2.25


def test_synthesis_noise_of_the_backbone_is_found(panohead, seen, view):
    options = {**QUICK, "preset": "pti-wplus", "perceptual": "pyramid", "steps": 3}
    found = open_wplus(panohead, None, options).invert(seen, view, panohead)
    assert found.tuned is not None
    assert all(name.endswith("noise_const") for name in found.tuned)
    assert not any(name.startswith("superresolution") for name in found.tuned)


def test_the_generators_own_camera_adaptation_moves_the_camera_only_when_asked(panohead, seen, view):
    options = {**QUICK, "steps": 1}
    plain = open_wplus(panohead, None, options).invert(seen, view, panohead)
    adapted = open_wplus(panohead, None, {**options, "adapt_camera": True}).invert(seen, view, panohead)
    assert torch.equal(plain.camera.label, view.label)
    assert not torch.equal(adapted.camera.position, view.position)
    assert torch.equal(adapted.camera.rotation, view.rotation)
