"""Stitching two heads' planes by an occlusion mask."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.errors import CapabilityError, InputError
from toolkit.interfaces import Softening
from toolkit.registry import default_registry
from toolkit.rendering.occlusion import occlusion_mask
from toolkit.testing import conformance
from toolkit.testing.spherical import BareSphericalGenerator, SphericalGenerator
from toolkit_plugins.dual_encoder.stitching import BlurredStitcher, FeatheredStitcher, HardStitcher, stitch_planes


@pytest.fixture(scope="module")
def heads(spherical: SphericalGenerator) -> Tensor:
    z = torch.randn(2, spherical.latents.z_dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return spherical.planes(spherical.mapping(z, Camera.orbit()))


@pytest.fixture(scope="module")
def occlusion(spherical: SphericalGenerator, heads: Tensor) -> Tensor:
    return occlusion_mask(spherical, heads[:1], Camera.orbit(0.3), 64)


@pytest.mark.parametrize("name", ["hard", "feathered", "blurred"])
def test_registered_stitchers_keep_the_contract(name: str):
    conformance.check_stitcher(default_registry().load("stitcher", name)(), (3, 6, 8, 8))


def test_the_hard_stitcher_copies_bit_by_bit(spherical: SphericalGenerator, heads: Tensor, occlusion: Tensor):
    joined = stitch_planes(HardStitcher(), spherical, heads[:1], heads[1:], occlusion)
    take = spherical.expand(occlusion).bool()
    assert torch.equal(joined, torch.where(take, heads[1:], heads[:1]))


def test_the_input_view_keeps_its_geometry(spherical: SphericalGenerator, heads: Tensor, occlusion: Tensor):
    joined = stitch_planes(HardStitcher(), spherical, heads[:1], heads[1:], occlusion)
    camera, opposite = Camera.orbit(0.3), Camera.orbit(0.3 + torch.pi)
    with torch.no_grad():
        first, second, ours = (spherical.march(each, camera, 32) for each in (heads[:1], heads[1:], joined))
        back, new_back = (spherical.march(each, opposite, 32).depth for each in (heads[:1], joined))
    solid = (first.opacity > 0.95) & (second.opacity > 0.95)
    kept = (ours.depth - first.depth)[solid].abs().mean()
    assert float(kept) < 0.2 * float((second.depth - first.depth)[solid].abs().mean())
    assert float((new_back - back).abs().mean()) > 0.005


@pytest.mark.parametrize("stitcher", [FeatheredStitcher(), BlurredStitcher()])
def test_softened_seams_lie_between_the_two_heads(
    stitcher: BlurredStitcher, spherical: SphericalGenerator, heads: Tensor, occlusion: Tensor
):
    assert isinstance(stitcher, Softening)
    assert not isinstance(HardStitcher(), Softening)
    soft = stitcher.soften(occlusion, spherical)
    assert float(soft.min()) >= 0
    assert float(soft.max()) <= 1
    assert bool(((soft > 0) & (soft < 1)).any())
    joined = stitch_planes(stitcher, spherical, heads[:1], heads[1:], occlusion)
    torch.testing.assert_close(joined, torch.lerp(heads[:1], heads[1:], spherical.expand(soft)))
    for value, source in ((0.0, heads[:1]), (1.0, heads[1:])):
        whole = torch.full_like(occlusion, value)
        torch.testing.assert_close(stitch_planes(stitcher, spherical, heads[:1], heads[1:], whole), source)


def test_feathering_leaves_what_the_view_sees_alone(spherical: SphericalGenerator, heads: Tensor, occlusion: Tensor):
    seen = ~spherical.expand(occlusion).bool()
    feathered, blurred = (
        stitch_planes(stitcher, spherical, heads[:1], heads[1:], occlusion)
        for stitcher in (FeatheredStitcher(), BlurredStitcher())
    )
    assert torch.equal(feathered[seen], heads[:1][seen])
    assert not torch.equal(blurred[seen], heads[:1][seen])


@pytest.mark.parametrize("stitcher", [HardStitcher(), FeatheredStitcher(), BlurredStitcher()])
def test_gradients_are_those_of_the_formula(stitcher: HardStitcher, spherical: SphericalGenerator):
    source = torch.Generator().manual_seed(1)
    shape = (1, *spherical.spec.planes_shape)
    visible, occluded = (torch.randn(shape, generator=source, dtype=torch.float64) for _ in range(2))
    mask = torch.rand(1, 2, 12, 24, generator=source, dtype=torch.float64)
    leaves = [each.requires_grad_() for each in (visible, occluded, mask)]
    joined = stitch_planes(stitcher, spherical, *leaves)
    gradients = torch.autograd.grad(joined.sum(), leaves)
    weight = spherical.expand(stitcher.soften(mask, spherical) if isinstance(stitcher, Softening) else mask)
    torch.testing.assert_close(gradients[0], 1 - weight.detach())
    torch.testing.assert_close(gradients[1], weight.detach().clone())
    moved = mask.detach() + 1e-6
    difference = stitch_planes(stitcher, spherical, visible, occluded, moved).sum() - joined.sum()
    torch.testing.assert_close((gradients[2].sum() * 1e-6), difference.detach(), rtol=1e-3, atol=1e-9)


def test_what_does_not_fit_is_refused(spherical: SphericalGenerator, bare: BareSphericalGenerator, heads: Tensor):
    with pytest.raises(InputError, match="one shape"):
        HardStitcher().stitch(heads, heads, heads[:1])
    with pytest.raises(CapabilityError, match="'spherical-bare'"):
        stitch_planes(HardStitcher(), bare, heads, heads, torch.zeros(2, 2, 12, 24))
