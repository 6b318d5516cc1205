from __future__ import annotations

import pytest
import torch

from toolkit.encoders.networks.plane_descent import PlaneDescent, PlaneDescentConfig, levelled
from toolkit.errors import CapabilityError, ConfigError
from toolkit.testing.spherical import BareSphericalGenerator, SphericalGenerator


def network(**chosen: int) -> PlaneDescent:
    return PlaneDescent(PlaneDescentConfig(planes=3, channels=4, style_dim=6, width=4, **chosen))


def inputs(rows: int = 2, side: int = 12) -> list[torch.Tensor]:
    source = torch.Generator().manual_seed(0)
    planes = [torch.randn(rows, 12, side, side, generator=source) for _ in range(3)]
    return [*planes, torch.randn(rows, 5, 6, generator=source)]


def randomised(descent: PlaneDescent) -> PlaneDescent:
    with torch.no_grad():
        for index, parameter in enumerate(descent.parameters()):
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(index)))
    return descent


def test_a_new_network_adds_nothing():
    assert torch.equal(network()(*inputs(), 0), torch.zeros(2, 12, 12, 12))


def test_heads_of_a_batch_do_not_see_one_another():
    descent, given = randomised(network()), inputs()
    together = descent(*given, 1)
    alone = torch.cat([descent(*(part[row : row + 1] for part in given), 1) for row in range(2)])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("side", [9, 10, 16])
def test_planes_may_have_any_side(side: int):
    assert randomised(network())(*inputs(side=side), 0).shape == (2, 12, side, side)


def test_steps_differ_until_the_last_one():
    descent, given = randomised(network(steps=2)), inputs()
    first, second, third = (descent(*given, step) for step in range(3))
    assert not torch.allclose(first, second) and torch.equal(second, third)


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_the_size_of_a_gradient_does_not_matter(factor: float):
    gradient = inputs()[0]
    torch.testing.assert_close(levelled(gradient * factor), levelled(gradient), rtol=1e-4, atol=1e-5)
    assert torch.equal(levelled(gradient).sign(), gradient.sign())
    assert levelled(torch.zeros(1, 3, 2, 2)).abs().max() == 0


def test_sizes_follow_from_the_generator(spherical: SphericalGenerator, bare: BareSphericalGenerator):
    config = PlaneDescentConfig.for_generator(spherical, width=8)
    channels = spherical.as_images(torch.zeros(1, *spherical.spec.planes_shape)).shape[1]
    assert config.planes * config.channels == channels and config.width == 8
    assert config.style_dim == spherical.spec.latents.w_dim
    with pytest.raises(CapabilityError, match="second stage needs"):
        PlaneDescentConfig.for_generator(bare)
    with pytest.raises(ConfigError, match="at least 1"):
        PlaneDescentConfig(steps=0)
