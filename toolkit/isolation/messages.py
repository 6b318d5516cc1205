"""The messages between a method and its caller: how it is opened, what it is asked, what it returns, errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import Interrupted, MissingDependencyError, PluginError, ToolkitError
from toolkit.machine_failures import Kind, machine_failure, reason
from toolkit.registry import Registration

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.camera import Camera
    from toolkit.inversion import Inversion
    from toolkit.metrics.effort import Effort

INPUT_FILE = "input.safetensors"
"""Image and camera, on their way to another process."""


@dataclass(frozen=True)
class Opening:
    """Everything that a method and its generator are made from."""

    name: str
    """The method's, as the user wrote it."""
    method: Registration
    generator: Registration
    weights: Path | None
    """The generator's."""
    device: str
    method_weights: Path | None
    options: Mapping[str, Any]


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


class ForeignError(Exception):
    """An error of a method in another process; its kind is known by name alone."""

    def __init__(self, told: str) -> None:
        """Keep the whole sentence, the kind included."""
        super().__init__(told)


def told(error: BaseException) -> str:
    """An error of a method as one line: its kind and what it says."""
    if isinstance(error, ForeignError):
        return str(error)
    return f"{type(error).__name__}: {error}".splitlines()[0]


def as_document(error: BaseException) -> dict[str, Any]:
    """An error in plain JSON types, for `raised_again`."""
    kind = machine_failure(error)
    return {
        "class": type(error).__name__ if isinstance(error, ToolkitError) else None,
        "text": reason(error) if kind else str(error) if isinstance(error, ToolkitError) else told(error),
        "machine": kind,
        "errno": error.errno if isinstance(error, OSError) else None,
    }


def raised_again(document: Mapping[str, Any]) -> Exception:
    """The error that `as_document` described: of the toolkit's family or the machine's as it was, else foreign."""
    text, kind = str(document.get("text")), document.get("machine")
    if kind == Kind.DISK:
        return OSError(int(document.get("errno") or 5), text)
    if kind == Kind.MEMORY:
        return MemoryError(text)
    if kind == Kind.DEVICE:
        return RuntimeError(text)
    family = {each.__name__: each for each in _family(ToolkitError)}
    found = family.get(str(document.get("class")))
    if found is None or found in (MissingDependencyError, Interrupted):
        return PluginError(text) if document.get("class") else ForeignError(text)
    return found(text)


def _family(parent: type[ToolkitError]) -> list[type[ToolkitError]]:
    return [parent, *(each for child in parent.__subclasses__() for each in _family(child))]


def entry_as_document(entry: Registration) -> dict[str, Any]:
    """A registration in plain types."""
    return dataclasses.asdict(entry)


def entry_from(document: Mapping[str, Any]) -> Registration:
    """The opposite of `entry_as_document`."""
    arguments = tuple(entry_from(part) for part in document["arguments"])
    return Registration(**{**document, "arguments": arguments})
