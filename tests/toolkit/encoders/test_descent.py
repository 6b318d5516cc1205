from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.encoders import DescentEncoder
from toolkit.encoders.networks.plane_descent import PlaneDescent, PlaneDescentConfig
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, StyleEncoderConfig
from toolkit.errors import CapabilityError
from toolkit.latents import map_styles, random_latents
from toolkit.rendering.views import around
from toolkit.testing.spherical import BareSphericalGenerator, SphericalGenerator


def descending(spherical: SphericalGenerator, steps: int | None) -> DescentEncoder:
    """An encoder whose steps go down the gradient a little, and elsewhere at random."""
    torch.manual_seed(0)
    sizes = StyleEncoderConfig.for_generator(spherical.spec, image_size=32, width=4, units=(1, 1, 1, 1), block_width=4)
    config = PlaneDescentConfig.for_generator(spherical, width=4, resolution=8)
    descent = PlaneDescent(config)
    with torch.no_grad():
        for network in descent.planes:
            for channel in range(config.channels):  # the last inputs are the gradient
                network.leave.weight[channel, config.width + 2 * config.channels + channel] = -0.5
            network.leave.bias.add_(0.02)
    return DescentEncoder(GradualStyleEncoder(sizes), descent, torch.zeros(sizes.styles, sizes.style_dim), steps).eval()


@pytest.fixture(scope="module")
def seen(spherical: SphericalGenerator) -> tuple[Tensor, Camera]:
    torch.manual_seed(1)
    with torch.no_grad():
        ws = map_styles(spherical, random_latents(spherical, 2)[:, None])
        camera = around(spherical.spec, torch.tensor([-0.4, 0.4]))
        return spherical.render(spherical.planes(ws), ws, camera).image, camera


def errors(encoder: DescentEncoder, spherical: SphericalGenerator, seen: tuple[Tensor, Camera]) -> list[float]:
    image, camera = seen
    with torch.no_grad():
        code = encoder.encode(image, camera, spherical)
        found = []
        for row in (slice(0, 1), slice(1, 2)):
            view = encoder.view_error(image[row], camera[row])
            found.append(float(sum(view.of(spherical, code.planes[row], code.ws[row], 8))))
        return found


def test_further_steps_never_make_the_input_view_worse(spherical: SphericalGenerator, seen: tuple[Tensor, Camera]):
    by_steps = [errors(descending(spherical, steps), spherical, seen) for steps in (2, 3, 5, 9, 17)]
    for row in range(2):
        along = [found[row] for found in by_steps]
        assert all(later <= earlier + 1e-6 for earlier, later in itertools.pairwise(along)), along
        assert along[-1] < along[0]


def test_as_many_steps_as_in_the_training_are_the_default(spherical: SphericalGenerator, seen: tuple[Tensor, Camera]):
    image, camera = seen
    with torch.no_grad():
        asked, unasked = (descending(spherical, steps).encode(image, camera, spherical) for steps in (2, None))
    assert torch.equal(asked.planes, unasked.planes) and not torch.equal(asked.planes, spherical.planes(asked.ws))


@pytest.mark.parametrize("steps", [2, 6])
def test_heads_do_not_depend_on_their_company(spherical: SphericalGenerator, seen: tuple[Tensor, Camera], steps: int):
    image, camera = seen
    encoder = descending(spherical, steps)
    with torch.no_grad():
        together = encoder.encode(image, camera, spherical).planes
        alone = torch.cat([encoder.encode(image[[i]], camera[[i]], spherical).planes for i in range(2)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_a_generator_without_plane_images_is_refused(
    spherical: SphericalGenerator, bare: BareSphericalGenerator, seen: tuple[Tensor, Camera]
):
    image, camera = seen
    with pytest.raises(CapabilityError, match="planes that can be seen as images"):
        descending(spherical, None).encode(image, camera, bare)
