"""Protocols by name: the YAML files that ship, and every class that a plugin registers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from toolkit.bench.protocols.base import BenchProtocol
from toolkit.bench.protocols.settings import OWN, ProtocolSettings
from toolkit.configuration import config_names, config_path, load_config
from toolkit.errors import ConfigError, PluginError
from toolkit.registry import default_registry, unknown_name

_FOLDER = "protocols/"
ALL = "all"


def open_protocol(name: str, overrides: Sequence[str] = ()) -> ProtocolSettings:
    """Read a protocol by its name, or from a YAML file.

    A protocol that ships no YAML file among the toolkit's has its settings in its class (`BenchProtocol.shipped`).

    Raises:
        ConfigError: Unknown name, unreadable file, unknown key, metric or impossible value.
        PluginError: What is registered under the name cannot be loaded, or is no class of `BenchProtocol`.
    """
    settings = _read(name, overrides)
    _check_metrics(settings)
    return settings


def _read(name: str, overrides: Sequence[str]) -> ProtocolSettings:
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        return load_config(ProtocolSettings, path, overrides)
    if _FOLDER + name in config_names():
        return load_config(ProtocolSettings, config_path(_FOLDER + name), overrides)
    if name not in protocol_names():
        raise ConfigError(unknown_name("protocol", name, protocol_names()))
    shipped = protocol_class(name).shipped
    values = [f"{key}={json.dumps(value)}" for key, value in {"kind": name, **shipped}.items()]
    return load_config(ProtocolSettings, None, [*values, *overrides])


def _check_metrics(settings: ProtocolSettings) -> None:
    """Refuse metrics that no plugin offers, unless they ship with a protocol: then a plugin of ours is not installed.

    Raises:
        ConfigError: Names the metric.
    """
    known = {entry.name for entry in default_registry().of_kind("metric")}
    strange = [name for name in settings.metrics if name not in known]
    if not strange:
        return
    shipped = {name for metrics in _shipped_metrics(settings.kind) for name in metrics}
    for name in strange:
        if name not in shipped:
            raise ConfigError(f"protocol {settings.title!r}: {unknown_name('metric', name, known)}")


def chooses_metrics(settings: ProtocolSettings) -> bool:
    """Whether somebody chose these metrics: a list that ships names those of both backends, for whichever is used."""
    return settings.metrics not in _shipped_metrics(settings.kind)


def _shipped_metrics(kind: str) -> list[tuple[str, ...]]:
    shipped = [tuple(protocol_class(kind).shipped.get("metrics", ()))]
    names = (name for name in config_names() if name.startswith(_FOLDER))
    return shipped + [load_config(ProtocolSettings, config_path(name)).metrics for name in names]


def open_protocols(names: str, overrides: Sequence[str] = ()) -> list[ProtocolSettings]:
    """Read protocols from a comma-separated list; `all` stands for every headline one.

    Overrides that only some protocols know how to take are applied to all of them alike.

    Raises:
        ConfigError: No name, or see `open_protocol`.
    """
    wanted: list[str] = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        wanted += _all() if name == ALL else [name]
    if not wanted:
        raise ConfigError("--protocol names no protocol")
    return [open_protocol(name, overrides) for name in dict.fromkeys(wanted)]


def protocol_class(kind: str) -> type[BenchProtocol]:
    """The class of a registered protocol.

    Raises:
        PluginError: It cannot be loaded, or is no class of `BenchProtocol`.
    """
    found = default_registry().load("protocol", kind)
    if not (isinstance(found, type) and issubclass(found, BenchProtocol)):
        raise PluginError(f"protocol {kind!r} must be a class derived from BenchProtocol, got {found!r}")
    return found


def protocol_names() -> list[str]:
    """The protocols that have a name: those that ship as YAML, and every registered one."""
    shipped = [name.removeprefix(_FOLDER) for name in config_names() if name.startswith(_FOLDER)]
    return sorted({*shipped, *(entry.name for entry in default_registry().of_kind("protocol"))})


def _all() -> list[str]:
    headline = [entry.name for entry in default_registry().of_kind("protocol") if entry.headline]
    return [*(name for name in OWN if name in headline), *(name for name in headline if name not in OWN)]
