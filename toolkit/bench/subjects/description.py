"""The description of a run; and the generator and methods that it names, opened in this process or in a worker."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from toolkit import load_generator, strangers
from toolkit.bench.records.schema import FLOOR
from toolkit.bench.subjects.commanded import with_answers
from toolkit.bench.subjects.methods import ComparedMethod, Inverts
from toolkit.bench.subjects.outside import open_outside
from toolkit.bench.subjects.rows import MethodRow, check_rows
from toolkit.data.sources import absolute_source
from toolkit.devices import checked_device, choose_arithmetic
from toolkit.errors import ConfigError, InputError, PluginError, ToolkitError, one_line
from toolkit.external.declaration import is_declaration
from toolkit.external.method import ExternalMethod
from toolkit.files import file_sha256
from toolkit.isolation.guard import GeneratorSource, MethodRequest, open_method
from toolkit.isolation.messages import told
from toolkit.isolation.method import BUILDING
from toolkit.isolation.watch import GeneratorWatch
from toolkit.registry import ENCODER_PREFIX, default_registry, method_and_plugin, unknown_name

if TYPE_CHECKING:
    from toolkit.bench.execution.runs import BenchRequest
    from toolkit.interfaces import Generator, Method

ALL = "all"
PRESETS = ("fast", "default", "quality")
"""Presets that every embedded run may ask for: methods without them keep their default."""


@dataclass(frozen=True)
class RunDescription:
    """Everything that opens a run, here and in a worker."""

    generator: str
    weights: Path | None
    device: str
    threads: int | None
    """CPU threads of each process; None: torch's choice, one in a worker."""
    methods: tuple[str, ...]
    requests: tuple[BenchRequest, ...]
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    method_weights: Mapping[str, Path] = field(default_factory=dict)
    preset: str | None = None
    outside: tuple[Path, ...] = ()
    time_limit: float | None = None
    """Seconds that an inversion may take."""
    arithmetic: tuple[str, ...] = ()
    """Of `toolkit.devices.ARITHMETIC`, in every process."""
    session: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Stands for the fingerprint of methods that tell none: their inversions are of this run alone."""

    def for_workers(self) -> RunDescription:
        """The same for a process in another folder, which shares its machine with others."""
        requests = tuple(
            replace(each, data=absolute_source(each.data), out=each.out.absolute()) for each in self.requests
        )  # fmt: skip
        files = {method: path.absolute() for method, path in self.method_weights.items()}
        weights = None if self.weights is None else self.weights.absolute()
        outside = tuple(folder.absolute() for folder in self.outside)
        return replace(
            self, requests=requests, method_weights=files, weights=weights, outside=outside, threads=self.threads or 1
        )


def method_names(text: str) -> list[str]:
    """Methods from a comma-separated list, `METHOD` or `ROW=METHOD`; `all` stands for every headline method.

    Raises:
        InputError: No name, an unknown one, or rows that cannot be told apart.
    """
    registry = default_registry()
    entries = registry.of_kind("method")
    known = {entry.name for entry in entries}
    known |= {f"{ENCODER_PREFIX}{entry.name}" for entry in registry.of_kind("encoder")}
    names: list[str] = []
    for name in filter(None, (part.strip() for part in text.split(","))):
        method = MethodRow.of(name).method
        if name != ALL and method not in known and not is_declaration(method):
            raise InputError(unknown_name("method", method, [*known, ALL]))
        names += [entry.name for entry in entries if entry.headline] if name == ALL else [name]
    if not names:
        raise InputError("--methods names no method")
    names = list(dict.fromkeys(names))
    check_rows([MethodRow.of(name) for name in names], {*known, ALL, FLOOR})
    return names


def open_run(described: RunDescription) -> tuple[Generator, list[ComparedMethod], dict[str, str]]:
    """The generator, the methods, and those that could not be built with their reasons.

    Raises:
        ToolkitError: A part that everything depends on cannot be opened.
    """
    choose_arithmetic(described.arithmetic)
    if described.threads is not None:
        torch.set_num_threads(described.threads)
    limit = described.time_limit
    with strangers.time_limit(limit and max(limit, BUILDING)):
        generator = load_generator(described.generator, described.weights, checked_device(described.device))
    methods, broken = open_methods(
        described.methods, generator, described.options, described.method_weights, described.preset, described.session,
        GeneratorSource(described.generator, described.weights, str(generator.device)), described.time_limit,
    )  # fmt: skip
    methods = [with_answers(each, generator, described.requests[0].out) for each in methods]
    size = generator.spec.image_size
    taken = [MethodRow.of(text).name for text in described.methods]
    methods += [open_outside(folder, size, taken) for folder in described.outside]
    return generator, methods, broken


def open_methods(
    names: Sequence[str],
    generator: Generator,
    options: Mapping[str, Mapping[str, Any]],
    weights: Mapping[str, Path],
    preset: str | None = None,
    session: str = "",
    source: GeneratorSource | None = None,
    time_limit: float | None = None,
) -> tuple[list[ComparedMethod], dict[str, str]]:
    """Build methods; those that cannot be built are returned with their reasons.

    Args:
        names: Registered methods, or `ROW=METHOD`.
        generator: What they invert into.
        options: Settings by row.
        weights: Checkpoints by row.
        preset: Preset of the methods that know it; the others keep their default.
        session: Of this run alone: in the place of a fingerprint, where a method tells none.
        source: What the generator is made from in another process; None: its name.
        time_limit: Seconds that an inversion may take.

    Raises:
        InputError: Options or weights for a method that is not compared.
        ConfigError: Options that a method refuses, or a preset that none of the methods knows.
    """
    refusals: list[str] = []
    rows = [MethodRow.of(name) for name in names]
    for stray in sorted((options.keys() | weights.keys()) - {row.name for row in rows}):
        raise InputError(
            f"settings for method {stray!r}, which is not among --methods {', '.join(row.name for row in rows)}"
        )
    methods, broken, watch = [], {}, GeneratorWatch(generator)
    source = source or GeneratorSource(generator.spec.name)
    for row in rows:
        name, registered = row
        path, undone = weights.get(name), list[str]()
        wanted = MethodRequest(registered, source, path, dict(options.get(name, {})), time_limit, _print_to_stderr)
        try:
            method, chosen = _open(wanted, generator, watch, undone, preset, refusals)
            check_inverts(name, method)
            own = method.name if isinstance(method, ExternalMethod) else registered
            shown, other = (name, own) if row.is_renamed else (own, "")
            digest = "" if path is None else file_sha256(path)
            methods.append(ComparedMethod(shown, method, chosen, digest, session, tuple(undone), other))
        except ConfigError:
            raise
        except (ToolkitError, OSError) as error:
            broken[name] = str(error)
        except (Exception, SystemExit) as error:  # a stranger's factory may raise anything
            broken[name] = f"{method_and_plugin(registered)}: {told(error)}"
    if preset is not None and preset not in PRESETS and len(refusals) == len(methods) and refusals:
        raise ConfigError(f"no method knows --preset {preset}: {refusals[0]}")
    return methods, broken


def check_inverts(name: str, method: object) -> None:
    """Refuse what is not a method at all.

    Raises:
        PluginError: It has no `invert`.
    """
    if not isinstance(method, Inverts):
        raise PluginError(f"method {name!r} is a {type(method).__name__} without `invert`")


def _print_to_stderr(text: str) -> None:
    print(one_line(text), file=sys.stderr)


def _open(
    wanted: MethodRequest,
    generator: Generator,
    watch: GeneratorWatch,
    undone: list[str],
    preset: str | None,
    refusals: list[str],
) -> tuple[Method, dict[str, Any]]:
    """Build a method with the preset if it knows it (else its refusal is noted); also what it was built with."""
    options = dict(wanted.options)
    if preset is not None and "preset" not in options:
        with_preset = replace(wanted, options={**options, "preset": preset})
        try:
            return open_method(with_preset, generator, watch, undone), dict(with_preset.options)
        except ConfigError as error:
            refusals.append(str(error))
    return open_method(wanted, generator, watch, undone), options
