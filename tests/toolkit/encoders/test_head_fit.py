from __future__ import annotations

import pytest
import torch
from torch import Tensor

from toolkit import load_generator
from toolkit.camera import Camera
from toolkit.encoders.head_fit import HeadFit
from toolkit.encoders.plane_fit import PlaneFit
from toolkit.encoders.superresolution_fit import SuperResolutionFit
from toolkit.interfaces import Code, Generator
from toolkit.latents import map_styles, random_latents
from toolkit.losses.reconstruction import l2
from toolkit.rendering.views import around
from toolkit.testing.spherical import SphericalGenerator

PLANES = PlaneFit(steps=3, levels=2, perceptual="pyramid", points=200)
COLOURS = SuperResolutionFit(steps=8, rate=0.01, perceptual="pyramid")


@pytest.fixture(scope="module")
def mini() -> Generator:
    return load_generator("panohead-mini")


def heads_of(generator: Generator) -> Code:
    with torch.no_grad():
        ws = map_styles(generator, random_latents(generator, 2)[:, None])
        return Code(ws, generator.planes(ws))


def photos_of(generator: Generator, heads: Code) -> tuple[Tensor, Camera]:
    """The heads themselves in another hue, on white."""
    camera = around(generator.spec, torch.tensor([-0.3, 0.3]))
    with torch.no_grad():
        view = generator.render(heads.planes, heads.ws, camera)
    mask = torch.nn.functional.interpolate(view.mask, size=view.image.shape[-1]) > 0.5
    hue = torch.tensor([0.2, -0.1, -0.3]).view(1, 3, 1, 1)
    return torch.where(mask, (view.image + hue).clamp(-1, 0.9), torch.ones_like(view.image)), camera


def shown(generator: Generator, heads: Code, row: int, camera: Camera) -> Tensor:
    """A head by a generator with its own changes."""
    state = generator.state_dict()
    for name, change in (heads.tuned or {}).items():
        state[name] = state[name] + change[row]
    module = load_generator("panohead-mini")
    module.load_state_dict(state)
    one = slice(row, row + 1)
    with torch.no_grad():
        return module.render(heads.planes[one], heads.ws[one], camera).image


def test_super_resolution_takes_on_the_photos_hue_on_the_other_side_too(mini: Generator):
    heads = heads_of(mini)
    image, camera = photos_of(mini, heads)
    state = {name: value.clone() for name, value in mini.state_dict().items()}
    no_planes = PLANES.model_copy(update={"steps": 0})
    found = HeadFit(no_planes, COLOURS).fitted(mini, heads, torch.ones_like(heads.planes), image, camera)
    assert torch.equal(found.planes, heads.planes)
    assert found.tuned and all(change.shape[0] == 2 for change in found.tuned.values())
    assert all(torch.equal(value, state[name]) for name, value in mini.state_dict().items())
    assert not any(parameter.grad is not None for parameter in mini.parameters())
    before, after = (float(l2(shown(mini, each, 0, camera[:1]), image[:1])) for each in (heads, found))
    assert after < 0.7 * before
    back = around(mini.spec, torch.tensor([2.8]))
    old, new = (shown(mini, each, 0, back).mean((0, 2, 3)) for each in (heads, found))
    assert new[0] - old[0] > new[2] - old[2] + 0.02


def test_a_picture_of_nothing_stays_as_it_was_where_that_counts(mini: Generator):
    heads = heads_of(mini)
    image, camera = photos_of(mini, heads)
    dark = torch.where(image < 1, image - 0.5, image).clamp(-1, 1)
    no_planes, nothing, changed = PLANES.model_copy(update={"steps": 0}), camera[:1].shifted(torch.ones(1, 3) * 50), []
    for weight in (0.0, 240.0):
        fit = HeadFit(no_planes, COLOURS.model_copy(update={"background": weight}))
        found = fit.fitted(mini, heads, torch.ones_like(heads.planes), dark, camera)
        changed.append(float(l2(shown(mini, found, 0, nothing), shown(mini, heads, 0, nothing))))
    assert changed[1] < 0.3 * changed[0]


def test_a_head_does_not_depend_on_its_company(mini: Generator):
    heads = heads_of(mini)
    image, camera = photos_of(mini, heads)
    seen, fit = torch.ones_like(heads.planes), HeadFit(PLANES, COLOURS.model_copy(update={"steps": 2}))
    together = fit.fitted(mini, heads, seen, image, camera)
    alone = fit.fitted(mini, Code(heads.ws[1:], heads.planes[1:]), seen[1:], image[1:], camera[1:])
    torch.testing.assert_close(together.planes[1:], alone.planes, rtol=0, atol=1e-6)
    assert together.tuned and alone.tuned
    for name, change in alone.tuned.items():
        torch.testing.assert_close(together.tuned[name][1:], change, rtol=0, atol=1e-6)


def test_without_steps_of_either_kind_nothing_changes(mini: Generator):
    heads = heads_of(mini)
    image, camera = photos_of(mini, heads)
    fit = HeadFit(PLANES.model_copy(update={"steps": 0}), SuperResolutionFit())
    found = fit.fitted(mini, heads, torch.ones_like(heads.planes), image, camera)
    assert found.tuned is None and torch.equal(found.planes, heads.planes)


def test_a_generator_without_super_resolution_of_its_own_has_its_planes_fitted(spherical: SphericalGenerator):
    heads = heads_of(spherical)
    image, camera = photos_of(spherical, heads)
    found = HeadFit(PLANES, COLOURS).fitted(spherical, heads, torch.ones_like(heads.planes), image, camera)
    assert found.tuned is None and not torch.equal(found.planes, heads.planes)
