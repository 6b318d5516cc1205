"""Parts of a training that a configuration names: discriminators and stitchers of any plugin."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator
from torch.nn import Module

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
    factory = default_registry().load("discriminator", name)
    known = [each.name for each in inspect.signature(factory).parameters.values() if each.kind is each.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            raise ConfigError(f"{key}: {unknown_name(f'option of discriminator {name!r}', option, known)}")
    discriminator = factory(generator, None, **options)
    if not isinstance(discriminator, Module) or not isinstance(discriminator, Discriminator):
        raise PluginError(f"discriminator {name!r} makes a {type(discriminator).__name__}, not a Discriminator")
    if discriminator.domain not in domains:
        raise ConfigError(
            f"discriminator {name!r} judges {discriminator.domain}; this training has {' or '.join(domains)}"
        )
    return discriminator.to(generator.device)


def open_stitcher(name: str) -> Stitcher:
    """Build a registered stitcher.

    Raises:
        PluginError: Unknown name, or what it makes is not a stitcher.
    """
    stitcher = default_registry().build("stitcher", name)
    if not isinstance(stitcher, Stitcher):
        raise PluginError(f"stitcher {name!r} makes a {type(stitcher).__name__}, which has no stitch")
    return stitcher
