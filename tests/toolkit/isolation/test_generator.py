"""Generators of strangers: what they do wrong is theirs, by name, and never a method's."""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch

from toolkit.camera import Camera
from toolkit.errors import PluginError
from toolkit.interfaces import Generator, Query, Render
from toolkit.isolation.generator import guard_generator
from toolkit.registry import Registration
from toolkit.testing.spherical import SphericalGenerator, build_spherical

MADE_BY = Registration("generator", "odd", "odd_package:build", "s", 1, "sx")


class Odd(SphericalGenerator):
    """A spherical generator whose functions may be spoilt."""

    spoil: dict[str, Callable[[Any, tuple], Any]]

    def _spoilt(self, name: str, *given: Any) -> Any:
        found = getattr(super(), name)(*given)
        return self.spoil[name](found, given) if name in self.spoil else found

    def march(self, *given: Any) -> Any:
        return self._spoilt("march", *given)

    def footprint(self, *given: Any) -> Any:
        return self._spoilt("footprint", *given)

    def as_images(self, *given: Any) -> Any:
        return self._spoilt("as_images", *given)

    def from_images(self, *given: Any) -> Any:
        return self._spoilt("from_images", *given)

    def features(self, *given: Any) -> Any:
        return self._spoilt("features", *given)

    def expand(self, *given: Any) -> Any:
        return self._spoilt("expand", *given)

    def smooth(self, *given: Any) -> Any:
        return self._spoilt("smooth", *given)

    def tunable_parameters(self) -> Any:
        yield from self._spoilt("tunable_parameters")

    def density(self, planes: Any, points: Any) -> Any:
        found = self.query(planes, points).density[..., 0]
        return self.spoil["density"](found, (planes, points)) if "density" in self.spoil else found

    def occupied(self, planes: Any) -> Any:
        def marks(points: Any) -> Any:
            return self.spoil.get("marks", lambda found, given: found)(points[..., 0] < 9, (points,))

        return self.spoil.get("occupied", lambda found, given: found)(marks, (planes,))

    def mapping(self, *given: Any) -> Any:
        return self._spoilt("mapping", *given)

    def planes(self, *given: Any) -> Any:
        return self._spoilt("planes", *given)

    def render(self, *given: Any) -> Any:
        return self._spoilt("render", *given)

    def query(self, *given: Any) -> Any:
        return self._spoilt("query", *given)


def odd(**spoil: Callable[[Any, tuple], Any]) -> Odd:
    made = build_spherical()
    made.__class__ = Odd
    made.spoil = spoil
    return guard_generator(made, MADE_BY)


@torch.no_grad()
def used(generator: Generator) -> tuple[Render, Query]:
    """Everything that a bench asks of a generator, once."""
    camera = Camera.orbit(0.3)
    z = torch.randn(1, generator.spec.latents.z_dim, generator=torch.Generator().manual_seed(0))
    ws = generator.mapping(z, camera)
    planes = generator.planes(ws)
    return generator.render(planes, ws, camera), generator.query(planes, torch.zeros(1, 4, 3))


@torch.no_grad()
def used_capabilities(generator: Any) -> None:
    """Everything that methods and products ask of a generator besides, once."""
    camera, ws = Camera.orbit(0.3), torch.zeros(1, generator.spec.latents.num_ws, generator.spec.latents.w_dim)
    planes, points = generator.planes(ws), torch.zeros(1, 4, 3)
    generator.march(planes, camera, 6)
    occupancy = generator.footprint(points)
    generator.expand(generator.smooth(occupancy))
    generator.from_images(generator.as_images(planes))
    generator.features(ws, 6)
    generator.density(planes, points)
    generator.occupied(planes)(points)
    assert dict(generator.tunable_parameters())


def boom(found: Any, given: tuple) -> Any:
    raise ZeroDivisionError("bo\nom")


NAN = float("nan")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ({"render": boom}, "failed: ZeroDivisionError: bo"),
        ({"planes": boom}, "failed: ZeroDivisionError: bo"),
        ({"render": lambda found, given: os._exit(0)}, "tried to end the program"),
        ({"render": lambda found, given: None}, "`render` gave a NoneType as image"),
        ({"render": lambda found, given: tuple(found)}, "`render` gave a tuple as image"),
        ({"render": lambda found, given: found._replace(image=found.image[..., ::2, ::2])}, "instead of [1, 3, 48"),
        ({"render": lambda found, given: found._replace(image=found.image.long())}, "gave a tensor of torch.int64"),
        ({"render": lambda found, given: found._replace(image=found.image * NAN)}, "gave NaN or infinity as image"),
        ({"render": lambda found, given: found._replace(mask=found.mask / 0)}, "gave NaN or infinity as mask"),
        ({"render": lambda found, given: (given[0].zero_(), found)[1]}, "wrote into what `render` was given"),
        ({"render": lambda found, given: (given[2].label.zero_(), found)[1]}, "wrote into what `render` was given"),
        ({"planes": lambda found, given: {"planes": found}}, "`planes` gave a dict as planes"),
        ({"planes": lambda found, given: found[:, :1]}, "`planes` gave [1, 1"),
        ({"planes": lambda found, given: (given[0].zero_(), found)[1]}, "wrote into what `planes` was given"),
        ({"mapping": lambda found, given: found[:, :1]}, "`mapping` gave [1, 1"),
        ({"mapping": lambda found, given: found * NAN}, "`mapping` gave NaN or infinity as ws"),
        ({"query": lambda found, given: tuple(found)}, "`query` gave a tuple as density"),
        ({"query": lambda found, given: found._replace(density=found.density[0])}, "`query` gave ["),
    ],
)  # fmt: skip
def test_what_a_strangers_generator_does_wrong_is_refused_by_its_name(
    spoil: dict[str, Callable[[Any, tuple], Any]], told: str
):
    with pytest.raises(PluginError) as caught:
        used(odd(**spoil))
    assert str(caught.value).startswith("generator 'odd' of plugin 'sx'") and told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("how", [boom, lambda found, given: os._exit(0)])
@pytest.mark.parametrize(
    "name",
    ["march", "footprint", "expand", "smooth", "as_images", "from_images", "features", "density", "occupied", "marks",
     "tunable_parameters"],
)  # fmt: skip
def test_a_capability_that_fails_or_ends_the_program_is_named(name: str, how: Callable[[Any, tuple], Any]):
    used_capabilities(odd())
    with pytest.raises(PluginError, match=r"^generator 'odd' of plugin 'sx' failed: "):
        used_capabilities(odd(**{name: how}))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ({"march": lambda found, given: found._replace(depth=found.depth[..., :1])}, "gave [1, 1, 6, 1] instead"),
        ({"march": lambda found, given: tuple(found)}, "`march` gave a tuple as depth"),
        ({"march": lambda found, given: found._replace(opacity=found.opacity * NAN)}, "gave NaN or infinity"),
        ({"footprint": lambda found, given: None}, "`footprint` gave a NoneType as occupancy"),
        ({"smooth": lambda found, given: found[..., :1]}, "`smooth` gave ["),
        ({"expand": lambda found, given: found[:, :1]}, "`expand` gave [1, 1"),
        ({"as_images": lambda found, given: found[0]}, "`as_images` gave ["),
        ({"from_images": lambda found, given: found[..., :1]}, "`from_images` gave ["),
        ({"features": lambda found, given: found[0]}, "`features` gave a Tensor, not (features"),
        ({"density": lambda found, given: found[..., None]}, "`density` gave [1, 4, 1] instead of [1, 4]"),
        ({"density": lambda found, given: (given[0].zero_(), found)[1]}, "wrote into what `density` was given"),
        ({"occupied": lambda found, given: None}, "`occupied` gave a NoneType, not a function of points"),
        ({"marks": lambda found, given: found.float()}, "gave a tensor of torch.float32, not booleans"),
        ({"marks": lambda found, given: found[:, :1]}, "`occupied` gave marks [1, 1], not [1, 4]"),
        ({"tunable_parameters": lambda found, given: [1]}, "`tunable_parameters` gave a int, not pairs"),
        ({"render": lambda found, given: found._replace(depth=found.depth[..., :3])}, "gave [1, 1, 24, 3] instead of"),
        ({"render": lambda found, given: type(found)(*(each.repeat(2, 1, 1, 1) for each in found))}, "gave [2, 3"),
    ],
)  # fmt: skip
def test_what_a_capability_gives_is_checked(spoil: dict[str, Callable[[Any, tuple], Any]], told: str):
    with pytest.raises(PluginError) as caught:
        used_capabilities(odd(**spoil)), used(odd(**spoil))
    assert str(caught.value).startswith("generator 'odd' of plugin 'sx'") and told in str(caught.value)


def test_a_sound_generators_capabilities_give_what_they_gave(spherical: SphericalGenerator):
    camera, ws = Camera.orbit(0.3), torch.zeros(1, spherical.spec.latents.num_ws, spherical.spec.latents.w_dim)
    guarded, planes = odd(), spherical.planes(ws)
    for found, plain in zip(guarded.march(planes, camera, 6), spherical.march(planes, camera, 6), strict=True):
        assert torch.equal(found, plain)
    names = [name for name, _ in guarded.tunable_parameters()]
    assert names == [name for name, _ in spherical.tunable_parameters()]
    assert copy.deepcopy(guarded).occupied(planes)(torch.zeros(2, 5, 3)).shape == (2, 5)


def test_shapes_can_be_asked_for_without_numbers():
    generator = odd()
    planes = torch.zeros(1, *generator.spec.planes_shape, device="meta")
    images = generator.as_images(planes)
    assert images.is_meta and generator.from_images(images).shape == planes.shape


def test_nan_that_it_was_given_is_not_its_fault():
    generator = odd()
    planes = torch.full((1, *generator.spec.planes_shape), NAN)
    generator.query(planes, torch.zeros(1, 4, 3))


def test_a_sound_one_gives_what_it_gave_before_and_its_copies_use_their_own_weights(spherical: SphericalGenerator):
    view, read = used(odd())
    plain, asked = used(spherical)
    assert torch.equal(view.image, plain.image) and torch.equal(read.density, asked.density)
    generator = odd()
    for twin in (copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))):
        with torch.no_grad():
            for each in twin.parameters():
                each.mul_(1.5)
        assert not torch.equal(used(twin)[0].image, plain.image)
        assert torch.equal(used(generator)[0].image, plain.image)
        twin.spoil = {"render": boom}
        with pytest.raises(PluginError, match="generator 'odd' of plugin 'sx'"):
            used(twin)


def test_gradients_pass_and_a_change_of_the_process_is_the_generators():
    def spoilt(found: Render, given: tuple) -> Render:
        torch.set_default_dtype(torch.float64)
        return found

    generator = odd(render=spoilt)
    ws = torch.zeros(1, generator.spec.latents.num_ws, generator.spec.latents.w_dim, requires_grad=True)
    generator.render(generator.planes(ws), ws, Camera.orbit(0.0)).image.sum().backward()
    assert ws.grad is not None and ws.grad.abs().sum() > 0
    assert torch.get_default_dtype() == torch.float32
