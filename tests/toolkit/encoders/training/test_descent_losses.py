from __future__ import annotations

import pytest
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.encoders import DescentEncoder
from toolkit.encoders.descent import ViewError
from toolkit.encoders.networks.plane_descent import PlaneDescent, PlaneDescentConfig
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, StyleEncoderConfig
from toolkit.encoders.training import Elsewhere, descent_losses
from toolkit.encoders.training.descent_losses import with_gradient
from toolkit.latents import map_styles, random_latents
from toolkit.losses.perceptual import open_pyramid
from toolkit.rendering.views import around
from toolkit.testing.spherical import SphericalGenerator


@pytest.fixture
def encoder(spherical: SphericalGenerator) -> DescentEncoder:
    torch.manual_seed(0)
    sizes = StyleEncoderConfig.for_generator(spherical.spec, image_size=32, width=4, units=(1, 1, 1, 1), block_width=4)
    steps = PlaneDescent(PlaneDescentConfig.for_generator(spherical, width=4, resolution=8))
    return DescentEncoder(GradualStyleEncoder(sizes), steps, torch.zeros(sizes.styles, sizes.style_dim)).eval()


def heads(spherical: SphericalGenerator, count: int, seed: int) -> tuple[Tensor, Tensor, Camera]:
    """Codes, their pictures, and what saw them."""
    torch.manual_seed(seed)
    with torch.no_grad():
        ws = map_styles(spherical, random_latents(spherical, count)[:, None])
        camera = around(spherical.spec, torch.linspace(-0.5, 0.5, count))
        return ws, spherical.render(spherical.planes(ws), ws, camera).image, camera


def test_the_gradient_on_planes_is_that_of_the_error(spherical: SphericalGenerator):
    ws, _, camera = heads(spherical, 2, 1)
    _, image, _ = heads(spherical, 2, 2)
    error = ViewError(open_pyramid(), 0.8, image, camera)
    planes = spherical.planes(ws).detach()
    gradient, pixels, features = error.gradient(spherical, planes, ws, 8)
    leaf = planes.clone().requires_grad_(True)
    sum(error.of(spherical, leaf, ws, 8)).backward()
    torch.testing.assert_close(gradient, leaf.grad)
    assert float(pixels) > 0 and float(features) > 0 and not gradient.requires_grad
    with torch.no_grad():  # as inversions are made
        torch.testing.assert_close(error.gradient(spherical, planes, ws, 8)[0], gradient)


def test_a_value_with_a_known_gradient_passes_it_on():
    planes = torch.tensor([1.0, 2.0], requires_grad=True)
    value = with_gradient(3 * planes, torch.tensor(5.0), torch.tensor([0.5, -1.0]))
    (2 * value).backward()
    assert float(value.detach()) == 5 and planes.grad is not None and planes.grad.tolist() == [3.0, -6.0]


def test_losses_have_the_gradient_of_the_slow_way(spherical: SphericalGenerator, encoder: DescentEncoder):
    """The twin renders each step's result again, with gradients through everything but the steps before."""
    ws, _, camera = heads(spherical, 2, 1)
    _, image, _ = heads(spherical, 2, 2)
    side = around(spherical.spec, torch.tensor([1.0]))
    elsewhere = Elsewhere("others", 0.5, slice(0, 1), image[:1], side)
    with torch.no_grad():
        for index, parameter in enumerate(encoder.descent.parameters()):
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(index)))
    losses, code = descent_losses(encoder, spherical, ws, image, camera, [elsewhere], resolution=8)
    sum(losses.values()).backward()
    found = [parameter.grad.clone() for parameter in encoder.descent.parameters() if parameter.grad is not None]
    encoder.zero_grad()
    start = planes = spherical.planes(ws)
    errors, resolution = encoder.view_error(image, camera), encoder.descent.config.resolution
    other = encoder.view_error(image[:1], side)
    total = torch.zeros(())
    for step in range(encoder.descent.config.steps):
        gradient, _, _ = errors.gradient(spherical, planes.detach(), ws, resolution)
        planes = planes.detach() + encoder.step(spherical, start, planes.detach(), gradient, ws, step)
        total = total + sum(errors.of(spherical, planes, ws, resolution)) / 2
        total = total + 0.5 * sum(other.of(spherical, planes[:1], ws[:1], 8)) / 2
    total.backward()
    expected = [parameter.grad for parameter in encoder.descent.parameters() if parameter.grad is not None]
    torch.testing.assert_close(sum(losses.values()), total)
    torch.testing.assert_close(code.planes, planes)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-6)


def test_the_first_stage_learns_only_where_it_is_asked_to(spherical: SphericalGenerator, encoder: DescentEncoder):
    _, image, camera = heads(spherical, 1, 2)
    for first, detach, reached in ((0.0, True, False), (0.5, True, True), (0.0, False, True)):
        encoder.zero_grad()
        ws = encoder.codes(image)
        losses, _ = descent_losses(encoder, spherical, ws, image, camera, first=first, detach=detach)
        sum(losses.values()).backward()
        gradients = [parameter.grad for parameter in encoder.psp_encoder.parameters()]
        assert any(each is not None and each.abs().max() > 0 for each in gradients) is reached
        assert ("first" in losses) is bool(first)


def test_a_few_updates_bring_heads_nearer_to_their_pictures(spherical: SphericalGenerator, encoder: DescentEncoder):
    _, image, camera = heads(spherical, 2, 2)
    optimiser = torch.optim.Adam(encoder.descent.parameters(), 1e-2)
    seen = []
    for _ in range(6):
        losses, _ = descent_losses(encoder, spherical, encoder.codes(image).detach(), image, camera)
        optimiser.zero_grad()
        losses["view"].backward()
        optimiser.step()
        seen.append(float(losses["view"].detach()))
    assert seen[-1] < 0.9 * seen[0]
