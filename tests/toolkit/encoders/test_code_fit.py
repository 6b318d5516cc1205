from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from toolkit.camera import Camera
from toolkit.encoders.code_fit import CodeFit, fit_code
from toolkit.latents import map_styles, random_latents
from toolkit.losses.reconstruction import l2
from toolkit.rendering.views import around
from toolkit.testing.spherical import SphericalGenerator

FIT = CodeFit(steps=25, rate=0.1, resolution=16, perceptual="pyramid", average=0.0, layers=0.0, outline=1.0)


@pytest.fixture(scope="module")
def photos(spherical: SphericalGenerator) -> tuple[Tensor, Camera]:
    camera = around(spherical.spec, torch.tensor([-0.3, 0.3]))
    with torch.no_grad():
        ws = map_styles(spherical, random_latents(spherical, 2)[:, None])
        return spherical.render(spherical.planes(ws), ws, camera).image, camera


@pytest.fixture(scope="module")
def start(spherical: SphericalGenerator) -> Tensor:
    """What an encoder said: other heads."""
    with torch.no_grad():
        return map_styles(spherical, random_latents(spherical, 4)[2:, None])


def fitted(spherical: SphericalGenerator, start: Tensor, photos: tuple[Tensor, Camera], **settings: float) -> Tensor:
    average = start.mean((0, 1)).expand_as(start[0])
    return fit_code(FIT.model_copy(update=settings), spherical, start, average, *photos)


def error(spherical: SphericalGenerator, ws: Tensor, photos: tuple[Tensor, Camera]) -> float:
    with torch.no_grad():
        return float(l2(spherical.render(spherical.planes(ws), ws, photos[1]).image, photos[0]))


def test_the_input_views_come_nearer(spherical: SphericalGenerator, start: Tensor, photos: tuple[Tensor, Camera]):
    assert error(spherical, fitted(spherical, start, photos), photos) < 0.7 * error(spherical, start, photos)


def test_while_layers_share_an_offset_the_code_stays_in_w(spherical: SphericalGenerator, start: Tensor, photos):
    one = fitted(spherical, start, photos, shared=1.0)
    torch.testing.assert_close(one, one[:, :1].expand_as(one))
    several = fitted(spherical, start, photos, shared=0.0)
    assert (several - several[:, :1]).abs().max() > 1e-3


def test_the_pull_keeps_codes_near_the_average(spherical: SphericalGenerator, start: Tensor, photos):
    average = start.mean((0, 1))
    free, held = (fitted(spherical, start, photos, average=weight) - average for weight in (0.0, 20.0))
    assert held.square().mean() < 0.5 * free.square().mean()


def test_a_head_does_not_depend_on_its_company(spherical: SphericalGenerator, start: Tensor, photos):
    image, camera = photos
    average = start.mean((0, 1)).expand_as(start[0])
    alone = [
        fit_code(FIT, spherical, start[row], average, image[row], camera[row]) for row in (slice(0, 1), slice(1, 2))
    ]
    torch.testing.assert_close(torch.cat(alone), fitted(spherical, start, photos), rtol=0, atol=1e-5)


def test_the_generator_takes_no_gradients(spherical: SphericalGenerator, start: Tensor, photos):
    spherical.requires_grad_(True)
    try:
        with torch.no_grad():
            ws = fitted(spherical, start, photos, steps=2)
        assert not ws.requires_grad
        assert all(parameter.grad is None for parameter in nn.Module.parameters(spherical))
    finally:
        spherical.requires_grad_(False)
