"""Methods opened for a command: strangers', and all that have a time limit, in processes of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from toolkit import load_method
from toolkit.errors import InputError
from toolkit.external.declaration import is_declaration
from toolkit.external.method import ExternalMethod
from toolkit.isolation.guard import InversionRequest, Made, guarded_build, guarded_inversion
from toolkit.isolation.method import IsolatedMethod
from toolkit.isolation.opening import Opening
from toolkit.isolation.watch import GeneratorWatch
from toolkit.registry import default_registry, registered_method

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, Method


@runtime_checkable
class TimeLimited(Protocol):
    """A method that is ended when an inversion takes too long."""

    time_limit: float | None
    """Seconds."""


def checked_time_limit(seconds: float | None) -> float | None:
    """A limit that a user gave.

    Raises:
        InputError: It is no positive number of seconds.
    """
    if seconds is not None and not 0 < seconds <= 7 * 86_400:
        raise InputError(f"the time limit (--time-limit) must be seconds between 0 and a week, got {seconds:g}")
    return seconds


class GeneratorSource(NamedTuple):
    """What a generator is made from, in any process."""

    name: str
    weights: Path | None = None
    device: str = "cpu"


@dataclass(frozen=True)
class MethodRequest:
    """A method that a user asks for."""

    name: str
    generator: GeneratorSource
    weights: Path | None = None
    """The method's checkpoint."""
    options: Mapping[str, Any] = field(default_factory=dict)
    time_limit: float | None = None
    """Seconds per inversion; None: for ever."""
    note: Callable[[str], None] = lambda text: None
    """Told of what the method prints."""


def open_method(
    request: MethodRequest,
    generator: Generator,
    watch: GeneratorWatch,
    undone: list[str],
    load: Callable[..., Method] = load_method,
) -> Method:
    """Build a method where it can do no harm: a stranger's, and one with a time limit, in a process of its own.

    Args:
        request: What is asked for.
        generator: What it inverts into, in this process.
        watch: Made when the generator was known to be sound.
        undone: What the factory changed and must not is added here.
        load: Builds a method in this process.

    Raises:
        ToolkitError: It cannot be built.
    """
    name, options = request.name, dict(request.options)
    entry = None if is_declaration(name) else registered_method(name)
    if entry is not None and os.name == "posix" and (entry.is_strangers or request.time_limit is not None):
        source = request.generator
        made_by = default_registry().get("generator", source.name)
        opening = Opening(name, entry, made_by, source.weights, source.device, request.weights, options)
        isolated = IsolatedMethod(opening, request.time_limit, request.note)
        undone += isolated.undone
        return isolated
    found: Method = guarded_build(lambda: load(name, generator, request.weights, **options), watch, undone)
    if isinstance(found, ExternalMethod):
        found.limit_time(request.time_limit)
    return found


def make_inversion(
    method: Any,
    request: InversionRequest,
    generator: Generator,
    watch: GeneratorWatch | None = None,
    undone: list[str] | None = None,
) -> Made:
    """Let a method invert an image, in its own process where it has one (see `guarded_inversion`)."""
    if isinstance(method, IsolatedMethod):
        return method.make(request, generator, undone)
    return guarded_inversion(method, request, generator, watch, undone)
