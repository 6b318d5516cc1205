"""Generators of strangers: what their functions raise, print or change is named, and what they give is checked."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from torch import Tensor

from toolkit.arms_length import contained_call
from toolkit.errors import PluginError
from toolkit.isolation.generator_answers import LISTS, OCCUPIED, OPTIONAL, REQUIRED, fault_of, fault_of_marks

if TYPE_CHECKING:
    from toolkit.interfaces import Generator
    from toolkit.registration import Registration

_inside: ContextVar[bool] = ContextVar("_inside", default=False)
"""Whether a function of a guarded generator is at work."""


def guard_generator(generator: Generator, made_by: Registration) -> Generator:
    """Put a stranger's generator at arm's length (see `toolkit.strangers`), in place; copies of it are guarded, too."""
    offered = [name for name in OPTIONAL if callable(getattr(type(generator), name, None))]
    for name in (*REQUIRED, *offered):
        setattr(generator, name, functools.partial(_asked, generator, made_by, name, getattr(generator, name)))
    return generator


def _asked(
    generator: Generator, made_by: Registration, name: str, function: Callable[..., Any], *given: Any, **options: Any
) -> Any:
    """What a function of a generator gives.

    Raises:
        PluginError: It fails, writes into what it was given, or gives something else than it promises.
    """
    if _inside.get():  # it asks itself: what comes of that is looked at as a whole
        return function(*given, **options)
    inputs = (*given, *options.values())
    found = _contained(made_by, name, function, given, options)
    place = 2 if name == "march" else 3
    resolution = options.get("resolution", given[place] if len(given) > place else None)
    why = fault_of(generator, name, found, inputs, resolution)
    if why:
        raise PluginError(f"{made_by.whose}: `{name}` gave {why}")
    if name in LISTS:
        return iter(found)
    return functools.partial(_marked, made_by, found) if name == OCCUPIED else found


def _marked(made_by: Registration, function: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """Whether points [..., 3] are occupied, as the function says that `occupied` gave.

    Raises:
        PluginError: As `_asked`.
    """
    if _inside.get():
        return function(points)
    found: Tensor = _contained(made_by, OCCUPIED, function, (points,), {})
    why = fault_of_marks(found, points)
    if why:
        raise PluginError(f"{made_by.whose}: `{OCCUPIED}` gave {why}")
    return found


def _contained(
    made_by: Registration, name: str, function: Callable[..., Any], given: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """What a function returns (see `contained_call`); it may ask its generator, and pairs are read here."""

    def read(*given: Any, **options: Any) -> Any:
        found = function(*given, **options)
        return list(found) if name in LISTS and found is not None else found

    token = _inside.set(True)
    try:
        return contained_call(made_by, name, read, given, options)
    finally:
        _inside.reset(token)
