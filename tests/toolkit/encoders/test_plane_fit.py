from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from toolkit.camera import Camera
from toolkit.encoders.kept_field import KeptField
from toolkit.encoders.photo_outline import PhotoOutline
from toolkit.encoders.plane_fit import PlaneFit, fit_planes
from toolkit.errors import CapabilityError
from toolkit.interfaces import Code, Generator
from toolkit.latents import map_styles, random_latents
from toolkit.losses.reconstruction import l2
from toolkit.rendering.views import around
from toolkit.testing.spherical import BareSphericalGenerator, SphericalGenerator

FIT = PlaneFit(steps=12, levels=2, everywhere=0, rate=0.05, perceptual="pyramid", points=500)


@pytest.fixture(scope="module")
def heads(spherical: SphericalGenerator) -> Code:
    torch.manual_seed(3)
    with torch.no_grad():
        ws = map_styles(spherical, random_latents(spherical, 4)[:, None])
        return Code(ws, spherical.planes(ws))


@pytest.fixture(scope="module")
def seen(spherical: SphericalGenerator, heads: Code) -> tuple[Tensor, Camera]:
    """Pictures of the last two heads, from both sides of the front."""
    camera = around(spherical.spec, torch.tensor([-0.3, 0.3]))
    with torch.no_grad():
        return spherical.render(heads.planes[2:], heads.ws[2:], camera).image, camera


def fit_one(fit: PlaneFit, generator: Generator, code: Code, mask: Tensor, image: Tensor, camera: Camera) -> Tensor:
    return fit_planes(fit, generator, code, mask, PhotoOutline(image, camera))


def fitted(spherical: SphericalGenerator, heads: Code, seen: tuple[Tensor, Camera], **settings: float) -> Tensor:
    fit, (image, camera) = FIT.model_copy(update=settings), seen
    found = []
    for row in (slice(0, 1), slice(1, 2)):
        code, everything = Code(heads.ws[row], heads.planes[row]), torch.ones_like(heads.planes[row])
        found.append(fit_one(fit, spherical, code, everything, image[row], camera[row]))
    return torch.cat(found)


def view_error(spherical: SphericalGenerator, heads: Code, planes: Tensor, seen: tuple[Tensor, Camera]) -> float:
    with torch.no_grad():
        return float(l2(spherical.render(planes, heads.ws[:2], seen[1]).image, seen[0]))


def test_the_input_view_comes_nearer(spherical: SphericalGenerator, heads: Code, seen: tuple[Tensor, Camera]):
    planes = fitted(spherical, heads, seen)
    before = view_error(spherical, heads, heads.planes[:2], seen)
    assert view_error(spherical, heads, planes, seen) < 0.7 * before


def test_what_the_photo_does_not_see_stays_to_the_bit(spherical: SphericalGenerator, heads: Code, seen):
    image, camera = seen
    mask = (torch.rand(heads.planes[:1].shape, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    start = heads.planes[:1]
    planes = fit_one(FIT, spherical, Code(heads.ws[:1], start), mask, image[:1], camera[:1])
    assert torch.equal(planes[mask == 0], start[mask == 0])
    assert not torch.equal(planes[mask == 1], start[mask == 1])


def test_coarse_changes_reach_what_the_photo_does_not_see(spherical: SphericalGenerator, heads: Code, seen):
    image, camera = seen
    start = heads.planes[:1]
    fit = FIT.model_copy(update={"everywhere": 1})
    planes = fit_one(fit, spherical, Code(heads.ws[:1], start), torch.zeros_like(start), image[:1], camera[:1])
    images = spherical.as_images(planes - start)
    assert images.abs().max() > 0
    coarse = nn.functional.interpolate(nn.functional.avg_pool2d(images, 2), scale_factor=2, mode="bilinear")
    assert (images - coarse).square().mean() < 0.1 * images.square().mean()


def test_no_steps_change_nothing(spherical: SphericalGenerator, heads: Code, seen: tuple[Tensor, Camera]):
    assert torch.equal(fitted(spherical, heads, seen, steps=0), heads.planes[:2])


def test_a_fit_can_be_repeated(spherical: SphericalGenerator, heads: Code, seen):
    torch.testing.assert_close(fitted(spherical, heads, seen), fitted(spherical, heads, seen), rtol=0, atol=0)


def test_the_shape_stays_nearer_where_it_counts(spherical: SphericalGenerator, heads: Code, seen):
    found = {}
    for weight in (0.0, 50.0):
        planes = fitted(spherical, heads, seen, shape=weight, smoothness=0.0, unseen=0.0)
        field = KeptField(spherical, heads.planes[:1], heads.ws[:1], 2000, torch.Generator().manual_seed(1))
        found[weight] = float(field.change(planes[:1], 2000).shape.detach())
    assert found[50.0] < 0.5 * found[0.0]


def test_colours_change_more_evenly_where_it_counts(spherical: SphericalGenerator, heads: Code, seen):
    found = {}
    for weight in (0.0, 30.0):
        planes = fitted(spherical, heads, seen, shape=0.0, smoothness=weight, unseen=0.0)
        field = KeptField(spherical, heads.planes[:1], heads.ws[:1], 2000, torch.Generator().manual_seed(1))
        found[weight] = float(field.change(planes[:1], 2000).roughness.detach())
    assert found[30.0] < 0.7 * found[0.0]


def test_planes_where_they_began_have_not_changed(spherical: SphericalGenerator, heads: Code):
    field = KeptField(spherical, heads.planes[:1], heads.ws[:1], 300, torch.Generator().manual_seed(1))
    assert max(float(part.detach()) for part in field.change(heads.planes[:1], 300)) < 1e-12
    assert min(float(part.detach()) for part in field.change(heads.planes[1:2], 300)) > 0


def test_the_generator_takes_no_gradients(spherical: SphericalGenerator, heads: Code, seen: tuple[Tensor, Camera]):
    spherical.requires_grad_(True)
    try:
        with torch.no_grad():
            planes = fitted(spherical, heads, seen, steps=2)
        assert not planes.requires_grad
        assert all(parameter.grad is None for parameter in nn.Module.parameters(spherical))
    finally:
        spherical.requires_grad_(False)


def test_a_head_without_a_surface_is_fitted_all_the_same(spherical: SphericalGenerator, heads: Code, seen):
    empty = torch.full_like(heads.planes[:1], -5.0)
    image, camera = seen
    planes = fit_one(FIT, spherical, Code(heads.ws[:1], empty), torch.ones_like(empty), image[:1], camera[:1])
    assert torch.isfinite(planes).all()


def test_planes_that_are_no_images_are_refused(bare: BareSphericalGenerator, heads: Code, seen):
    with pytest.raises(CapabilityError, match="images"):
        fit_one(FIT, bare, heads, torch.ones_like(heads.planes), *seen)
