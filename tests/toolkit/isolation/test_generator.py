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
        ({"render": lambda found, given: found._replace(image=found.image[..., ::2, ::2])}, "gave image [1, 3"),
        ({"render": lambda found, given: found._replace(image=found.image.long())}, "gave a tensor of torch.int64"),
        ({"render": lambda found, given: found._replace(image=found.image * NAN)}, "gave image with NaN or infinity"),
        ({"render": lambda found, given: found._replace(mask=found.mask / 0)}, "gave mask with NaN or infinity"),
        ({"render": lambda found, given: (given[0].zero_(), found)[1]}, "wrote into what `render` was given"),
        ({"render": lambda found, given: (given[2].label.zero_(), found)[1]}, "wrote into what `render` was given"),
        ({"planes": lambda found, given: {"planes": found}}, "`planes` gave a dict as planes"),
        ({"planes": lambda found, given: found[:, :1]}, "`planes` gave planes [1, 1"),
        ({"planes": lambda found, given: (given[0].zero_(), found)[1]}, "wrote into what `planes` was given"),
        ({"mapping": lambda found, given: found[:, :1]}, "`mapping` gave ws [1, 1"),
        ({"mapping": lambda found, given: found * NAN}, "`mapping` gave ws with NaN"),
        ({"query": lambda found, given: tuple(found)}, "`query` gave a tuple as density"),
        ({"query": lambda found, given: found._replace(density=found.density[0])}, "gave density ["),
    ],
)  # fmt: skip
def test_what_a_strangers_generator_does_wrong_is_refused_by_its_name(
    spoil: dict[str, Callable[[Any, tuple], Any]], told: str
):
    with pytest.raises(PluginError) as caught:
        used(odd(**spoil))
    assert str(caught.value).startswith("generator 'odd' of plugin 'sx'") and told in str(caught.value)
    assert "\n" not in str(caught.value)


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
