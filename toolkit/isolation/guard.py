"""Opening methods, and asking them for inversions, so that they can harm nothing.

Strangers' methods, and all that have a time limit, run in processes of their own (`toolkit.isolation.method`). The
others run here: they get copies, their results are checked, and what they change is undone and named.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch

from toolkit.camera import Camera
from toolkit.external.declaration import is_declaration
from toolkit.external.method import open_external
from toolkit.isolation.messages import InversionRequest, Made, Opening
from toolkit.isolation.method import IsolatedMethod
from toolkit.isolation.returned import checked_inversion
from toolkit.isolation.watch import GeneratorWatch
from toolkit.metrics.effort import measured
from toolkit.process_state import ProcessWatch
from toolkit.registry import default_registry, method_and_plugin

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, Method


@runtime_checkable
class TimeLimited(Protocol):
    """A method that is ended when an inversion takes too long."""

    time_limit: float | None
    """Seconds."""


class GeneratorSource(NamedTuple):
    """What a generator is made from, in any process."""

    name: str
    weights: Path | None = None
    device: str = "cpu"


@dataclass(frozen=True)
class MethodRequest:
    """A method that a user asks for."""

    name: str
    """As registered, or the YAML file of a method in another environment."""
    generator: GeneratorSource
    weights: Path | None = None
    """The method's checkpoint."""
    options: Mapping[str, Any] = field(default_factory=dict)
    time_limit: float | None = None
    """Seconds per inversion; None: without limit."""
    note: Callable[[str], None] = lambda text: None
    """Told of what the method prints."""


def open_method(request: MethodRequest, generator: Generator, watch: GeneratorWatch, undone: list[str]) -> Method:
    """Build a method where it can do no harm: a stranger's, and one with a time limit, in a process of its own.

    Args:
        request: What is asked for.
        generator: What it inverts into, in this process.
        watch: Made when the generator was known to be sound.
        undone: What the factory changed and must not is added here.

    Raises:
        ToolkitError: It cannot be built.
    """
    name, weights, options = request.name, request.weights, dict(request.options)
    if is_declaration(name):
        external = open_external(name, weights, options)
        external.limit_time(request.time_limit)
        return external
    entry = default_registry().get("method", name)
    if os.name == "posix" and (entry.is_strangers or request.time_limit is not None):
        source = request.generator
        made_by = default_registry().get("generator", source.name)
        opening = Opening(name, entry, made_by, source.weights, source.device, weights, options)
        isolated = IsolatedMethod(opening, request.time_limit, request.note)
        undone += isolated.undone
        return isolated
    built: Method = guarded_build(lambda: entry.load()(generator, weights, options), watch, undone)
    return built


def guarded_build(build: Callable[[], Any], watch: GeneratorWatch, undone: list[str]) -> Any:
    """Build a method in this process; what its factory changed is put back and added to `undone`.

    Raises:
        BaseException: Whatever the factory raises, after everything was put back.
    """
    process = ProcessWatch()
    try:
        return build()
    finally:
        undone += [*process.undo(), *watch.undo()]


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


def guarded_inversion(
    method: Any,
    request: InversionRequest,
    generator: Generator,
    watch: GeneratorWatch | None = None,
    undone: list[str] | None = None,
) -> Made:
    """Let a method invert an image; it can harm neither the image, nor the generator, nor the next method.

    Args:
        method: Has `invert` (see `toolkit.interfaces.Method`).
        request: The image, its camera, the seed.
        generator: What is inverted into.
        watch: Made when the generator was known to be sound; None: now.
        undone: What was changed and put back is added here, also where the method fails.

    Returns:
        The checked inversion with the seconds and the memory that it took.

    Raises:
        PluginError: The result is no inversion into this generator.
        BaseException: Whatever the method raises, after everything was put back.
    """
    watch, process = watch or GeneratorWatch(generator), ProcessWatch()
    undone = [] if undone is None else undone
    try:
        with seeded(request.seed, generator.device), measured(generator.device) as effort:
            found = method.invert(request.image.clone(), Camera.from_label(request.camera.label.clone()), generator)
    finally:
        undone += process.undo()
        undone += watch.undo()
    return Made(checked_inversion(found, request.name, generator), effort)


def changes_as_text(name: str, undone: Iterable[str]) -> str:
    """One sentence that names a method and what it changed."""
    return (
        f"{method_and_plugin(name)} changed {'; '.join(dict.fromkeys(undone))}: that was undone, and "
        "nothing that comes after is touched by it"
    )


@contextmanager
def seeded(seed: int | None, device: torch.device) -> Iterator[None]:
    """Seed every generator of random numbers for a block, and leave the others' numbers as they were.

    Args:
        seed: None: random numbers are the process's.
        device: Whose generator is kept, too.
    """
    if seed is None:
        yield
        return
    before = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])
