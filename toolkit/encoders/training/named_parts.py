"""Parts of a training that a configuration names: discriminators and stitchers of any plugin."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast

from pydantic import AfterValidator
from torch import Tensor
from torch.nn import Module

from toolkit.arms_length import fault_of_gradient, fault_of_tensor, guarded
from toolkit.errors import ConfigError, PluginError
from toolkit.interfaces import Discriminator, Generator, Stitcher
from toolkit.registry import default_registry, unknown_name


def _of_registered(options: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    known = [entry.name for entry in default_registry().of_kind("discriminator")]
    for name in options:
        if name not in known:
            raise ValueError(unknown_name("discriminator", name, known))
    return options


DiscriminatorOptions = Annotated[dict[str, dict[str, Any]], AfterValidator(_of_registered)]
"""By registered discriminator, what its factory takes; a name with dots stands in quotes on the command line."""


def open_discriminator(
    name: str, generator: Generator, options: Mapping[str, Any], domains: Sequence[str], key: str
) -> Module:
    """Build a registered discriminator with random weights.

    Args:
        name: As registered.
        generator: Whose samples it scores; it is moved to the generator's device.
        options: Keyword arguments of its factory.
        domains: What it may score here.
        key: The options' place in the configuration, for messages.

    Raises:
        PluginError: Unknown name, or what it makes is not a discriminator.
        ConfigError: The factory has no such option, or the discriminator scores something else.
    """
    entry = default_registry().get("discriminator", name)
    factory = entry.load()
    known = [each.name for each in inspect.signature(factory).parameters.values() if each.kind is each.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            raise ConfigError(f"{key}: {unknown_name(f'option of discriminator {name!r}', option, known)}")
    with entry.running():
        discriminator = factory(generator, None, **options)
    if not isinstance(discriminator, Module) or not isinstance(discriminator, Discriminator):
        raise PluginError(f"discriminator {name!r} makes a {type(discriminator).__name__}, not a Discriminator")
    if discriminator.domain not in domains:
        raise ConfigError(
            f"discriminator {name!r} judges {discriminator.domain}; this training has {' or '.join(domains)}"
        )
    check = functools.partial(_fault_of_logits, discriminator)
    return guarded(discriminator.to(generator.device), entry, {"forward": check})


def open_stitcher(name: str) -> Stitcher:
    """Build a registered stitcher.

    Raises:
        PluginError: Unknown name, or what it makes is not a stitcher.
    """
    entry = default_registry().get("stitcher", name)
    stitcher = entry.build()
    if not isinstance(stitcher, Stitcher):
        raise PluginError(f"stitcher {name!r} makes a {type(stitcher).__name__}, which has no stitch")
    return guarded(stitcher, entry, {"stitch": _fault_of_planes, "soften": _fault_of_planes})


def _fault_of_planes(found: object, given: Sequence[Any]) -> str:
    """What is wrong with what should be like the first input; empty: nothing."""
    first = given[0]
    if isinstance(found, Tensor) and (found.shape != first.shape or found.dtype != first.dtype):
        return f"{found.dtype} {list(found.shape)}, not {first.dtype} {list(first.shape)}"
    return fault_of_tensor(found, given)


def _fault_of_logits(discriminator: Module, found: object, given: Sequence[Any]) -> str:
    x = given[0]
    learns = x.requires_grad or any(each.requires_grad for each in discriminator.parameters())
    return fault_of_tensor(found, given, (len(x), 1)) or fault_of_gradient(cast(Tensor, found), learns)
