"""Methods as they enter a comparison, and how they are opened by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from toolkit import load_method
from toolkit.bench.records.units import InversionRecord
from toolkit.errors import ConfigError, InputError, PluginError, ToolkitError
from toolkit.external.declaration import is_declaration
from toolkit.external.method import ExternalMethod
from toolkit.files import file_sha256
from toolkit.interfaces import Method
from toolkit.registry import unknown_name

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.bench.subjects.heads import Head
    from toolkit.camera import Camera
    from toolkit.interfaces import Generator, Item
    from toolkit.inversion import Inversion

ALL = "all"
PRESETS = ("fast", "default", "quality")
"""Presets that every embedded run may ask for: methods without them keep their default."""


MACHINE = "machine"
"""Stage of what failed because of the machine (see `toolkit.machine_failures`): always tried again."""
TRIED_AGAIN = ("read", MACHINE, "worker")
"""Stages that say nothing of the method: such units are done again by the next run."""


class UnitError(Exception):
    """A unit of work failed; it costs its own numbers and is listed, the run goes on."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(message)
        self.stage = stage


@runtime_checkable
class HeadSource(Protocol):
    """In the place of a method: whoever has finished renders of an item instead of an inversion."""

    def head(self, item: Item) -> Head:
        """The renders of an item; raises UnitError where there are none."""
        ...

    def record(self, item: Item) -> InversionRecord | None:
        """What was told about how an item's were made."""
        ...


@runtime_checkable
class Inverts(Protocol):
    """The least of a method: a stranger's may lack the rest of the contract."""

    def invert(self, image: Tensor, camera: Camera, generator: Generator) -> Inversion:
        """See `Method.invert`."""
        ...


@dataclass(frozen=True)
class ComparedMethod:
    """A method as it enters a comparison."""

    name: str
    inverter: Inverts | HeadSource | None
    """None: only what was recorded of it is at hand."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the user set."""
    weights: str = ""
    """sha256 of the checkpoint that the user named."""
    recorded: str = ""
    """The fingerprint of a method that is not opened, or tells none (then one of this run alone)."""

    @property
    def fingerprint(self) -> str:
        """Of everything else that its results depend on (see `Method.fingerprint`)."""
        return self.inverter.fingerprint if isinstance(self.inverter, Method) else self.recorded

    @property
    def identity(self) -> list[Any]:
        """What an inversion depends on besides picture and generator."""
        return [self.name, dict(self.options), self.weights, self.fingerprint]


def method_names(text: str) -> list[str]:
    """Methods from a comma-separated list; `all` stands for every headline method.

    Raises:
        InputError: No name, or an unknown one.
    """
    from toolkit.registry import ENCODER_PREFIX, default_registry

    registry = default_registry()
    entries = registry.of_kind("method")
    known = {entry.name for entry in entries}
    known |= {f"{ENCODER_PREFIX}{entry.name}" for entry in registry.of_kind("encoder")}
    names: list[str] = []
    for name in filter(None, (part.strip() for part in text.split(","))):
        if name != ALL and name not in known and not is_declaration(name):
            raise InputError(unknown_name("method", name, [*known, ALL]))
        names += [entry.name for entry in entries if entry.headline] if name == ALL else [name]
    if not names:
        raise InputError("--methods names no method")
    return list(dict.fromkeys(names))


def open_methods(
    names: Sequence[str],
    generator: Generator,
    options: Mapping[str, Mapping[str, Any]],
    weights: Mapping[str, Path],
    preset: str | None = None,
    session: str = "",
) -> tuple[list[ComparedMethod], dict[str, str]]:
    """Build methods; those that cannot be built are returned with their reasons.

    Args:
        names: Registered methods.
        generator: What they invert into.
        options: Settings by method.
        weights: Checkpoints by method.
        preset: Preset of the methods that know it; the others keep their default.
        session: Of this run alone: in the place of a fingerprint, where a method tells none.

    Raises:
        InputError: Options or weights for a method that is not compared.
        ConfigError: Options that a method refuses, or a preset that none of the methods knows.
    """
    refusals: list[str] = []
    for stray in sorted((options.keys() | weights.keys()) - set(names)):
        raise InputError(f"settings for method {stray!r}, which is not among --methods {', '.join(names)}")
    methods, broken = [], {}
    for name in names:
        path = weights.get(name)
        try:
            method, chosen = _open(name, generator, path, dict(options.get(name, {})), preset, refusals)
            check_inverts(name, method)
            shown = method.name if isinstance(method, ExternalMethod) else name
            methods.append(ComparedMethod(shown, method, chosen, "" if path is None else file_sha256(path), session))
        except ConfigError:
            raise
        except (ToolkitError, OSError) as error:
            broken[name] = str(error)
        except Exception as error:  # a stranger's factory may raise anything
            broken[name] = f"{type(error).__name__}: {error}".splitlines()[0]
    if preset is not None and preset not in PRESETS and len(refusals) == len(methods) and refusals:
        raise ConfigError(f"no method knows --preset {preset}: {refusals[0]}")
    return methods, broken


def check_inverts(name: str, method: object) -> None:
    """Refuse what is no method at all.

    Raises:
        PluginError: It has no `invert`.
    """
    if not isinstance(method, Inverts):
        raise PluginError(f"method {name!r} is a {type(method).__name__} without `invert`")


def _open(
    name: str,
    generator: Generator,
    weights: Path | None,
    options: dict[str, Any],
    preset: str | None,
    refusals: list[str],
) -> tuple[Method, dict[str, Any]]:
    """Build a method with the preset if it knows it (else its refusal is noted); also what it was built with."""
    if preset is not None and "preset" not in options:
        try:
            return load_method(name, generator, weights, **options, preset=preset), {**options, "preset": preset}
        except ConfigError as error:
            refusals.append(str(error))
    return load_method(name, generator, weights, **options), options
