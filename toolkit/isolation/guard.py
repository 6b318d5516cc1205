"""One call of a method: it gets copies, its result is checked, and what it changed is undone and named."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.inversion import Inversion
from toolkit.isolation.returned import checked_inversion
from toolkit.isolation.watch import GeneratorWatch
from toolkit.metrics.effort import Effort, measured
from toolkit.process_state import ProcessWatch
from toolkit.registry import method_and_plugin

if TYPE_CHECKING:
    from toolkit.interfaces import Generator


@dataclass(frozen=True)
class InversionRequest:
    """One inversion that a method is asked for."""

    name: str
    """What its result must call the method."""
    image: Tensor
    """[1, 3, S, S] in [-1, 1], on the generator's device; the method gets a copy."""
    camera: Camera
    """Saw the image; the method gets a copy."""
    seed: int | None = None
    """Of all random numbers that the method draws; None: the process's."""


@dataclass
class Made:
    """An inversion and what it cost."""

    inversion: Inversion
    effort: Effort


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


def guarded_build(build: Callable[[], Any], watch: GeneratorWatch, undone: list[str]) -> Any:
    """Build a method; what its factory changed is put back and added to `undone`.

    Raises:
        BaseException: Whatever the factory raises, after everything was put back.
    """
    process = ProcessWatch()
    try:
        return build()
    finally:
        undone += [*process.undo(), *watch.undo()]
