"""Parts of a training that a configuration names: discriminators and stitchers of any plugin."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import torch
from pydantic import AfterValidator
from torch import Tensor
from torch.nn import Module

from toolkit.errors import ConfigError, PluginError
from toolkit.interfaces import Discriminator, Generator, Stitcher
from toolkit.registry import Registration, default_registry, unknown_name


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
    entry = default_registry().get("stitcher", name)
    stitcher = entry.build()
    if not isinstance(stitcher, Stitcher):
        raise PluginError(f"stitcher {name!r} makes a {type(stitcher).__name__}, which has no stitch")
    if entry.is_strangers:
        for each in ("stitch", "soften"):
            if hasattr(stitcher, each):
                setattr(stitcher, each, functools.partial(_asked, entry, each, getattr(stitcher, each)))
    return stitcher


def _asked(made_by: Registration, name: str, function: Callable[..., Any], first: Tensor, *others: Any) -> Tensor:
    """What a stranger's stitcher gives: of the first input's shape, and none of its inputs is written to.

    Raises:
        PluginError: It fails, or does something else; it is named.
    """
    tensors = [each for each in (first, *others) if isinstance(each, Tensor) and not each.is_inference()]
    before = [each._version for each in tensors]
    with made_by.running():
        found = function(first, *others)
    if before != [each._version for each in tensors]:
        raise PluginError(f"{made_by.whose} wrote into what `{name}` was given")
    if not isinstance(found, Tensor) or found.shape != first.shape or found.dtype != first.dtype:
        kind = f"{found.dtype} {list(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise PluginError(f"{made_by.whose}: `{name}` gave {kind}, not {first.dtype} {list(first.shape)}")
    if not torch.isfinite(found.detach()).all() and torch.isfinite(first.detach()).all():
        raise PluginError(f"{made_by.whose}: `{name}` gave NaN or infinity")
    return found
