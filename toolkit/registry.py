"""Finds plugins, owns their names, builds what they offer only when asked.

A plugin is an entry point of the group `toolkit` that names a module with hook implementations. One that fails to
import, registers a taken name, or was made for another interface version is kept out as a whole and listed with its
reason.
The environment variable TOOLKIT_PLUGINS restricts discovery to the named entry points (comma separated; empty: none).
"""

from __future__ import annotations

import functools
import inspect
import os
import time
import types
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy

from toolkit import hookspecs
from toolkit.containment import contained, stdout_caught
from toolkit.errors import PluginError
from toolkit.registration import (
    BUILT_IN_PACKAGE,
    INTERFACE_VERSIONS,
    KINDS,
    BrokenPlugin,
    Register,
    Registration,
    unknown_name,
)
from toolkit.strangers import watched

__all__ = [
    "ENCODER_PREFIX", "INTERFACE_VERSIONS", "KINDS", "BrokenPlugin", "Register", "Registration", "Registry",
    "default_registry", "discover", "method_and_plugin", "registered_method", "unknown_name",
]  # fmt: skip

ENTRY_POINT_GROUP = "toolkit"
PLUGINS_VARIABLE = "TOOLKIT_PLUGINS"
SLOW = 1.0
"""Seconds beyond which a plugin is called slow: every command waits for it."""
_METHOD_OF_ENCODER = "toolkit.encoders.method:open_registered"
ENCODER_PREFIX = "encoder:"
"""Before a registered encoder's name: the method that inverts with it."""
_REGISTER = inspect.signature(Register.__call__)


@dataclass
class Registry:
    """All names of all working plugins."""

    registrations: dict[tuple[str, str], Registration] = field(default_factory=dict)
    broken: list[BrokenPlugin] = field(default_factory=list)
    plugins: list[str] = field(default_factory=list)
    folders: dict[str, Path] = field(default_factory=dict)
    """The package folder of each plugin that has one, built-ins first: its `configs` and `weights` lie there."""
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each plugin took to load."""
    printed: dict[str, str] = field(default_factory=dict)
    """What plugins printed while they were loaded; they should print nothing."""

    def load_plugin(self, plugin_name: str, load: Callable[[], object]) -> None:
        """Import a plugin and take it in (see `add_plugin`); what it prints is kept from stdout, and its time taken."""
        started = time.perf_counter()
        with stdout_caught() as printed, watched(plugin_name):
            try:
                with contained("it", timed=True):
                    module = load()
            except (Exception, SystemExit) as error:  # a stranger's module may raise anything while it is imported
                self.broken.append(BrokenPlugin(plugin_name, f"{type(error).__name__}: {error}"))
            else:
                self.add_plugin(plugin_name, module)
        self.seconds[plugin_name] = time.perf_counter() - started
        if printed.text:
            self.printed[plugin_name] = printed.text

    def slow(self) -> dict[str, float]:
        """Seconds of the plugins that every command waits for."""
        return {name: seconds for name, seconds in self.seconds.items() if seconds > SLOW}

    def add_plugin(self, plugin_name: str, module: object) -> None:
        """Take in a module with hook implementations: all of what it registers, or nothing.

        A plugin that cannot be taken in is added to `broken` instead.
        """
        offered: dict[tuple[str, str], Registration] = {}
        try:
            manager = pluggy.PluginManager("toolkit")
            manager.add_hookspecs(hookspecs)
            manager.register(module, name=plugin_name)
            manager.check_pending()
            with contained("it", timed=True):
                for kind, hook in KINDS.items():
                    getattr(manager.hook, hook)(register=self._registrar(offered, plugin_name, kind))
        except PluginError as error:
            self.broken.append(BrokenPlugin(plugin_name, str(error)))
        except (Exception, SystemExit) as error:  # a stranger's code may raise anything; the others must not suffer
            self.broken.append(BrokenPlugin(plugin_name, f"{type(error).__name__}: {error}"))
        else:
            self.registrations.update(offered)
            self.plugins.append(plugin_name)
            folder = _package_folder(module)
            if folder is not None:
                self.folders[plugin_name] = folder

    def _registrar(self, offered: dict[tuple[str, str], Registration], plugin: str, kind: str) -> Register:
        """The callback for one hook of a plugin: what it takes is what `Register` says."""

        def register(*arguments: Any, **told: Any) -> None:
            said = _REGISTER.bind(None, *arguments, **told).arguments
            entry = Registration(kind=kind, plugin=plugin, **{key: said[key] for key in said if key != "self"})
            entry.check()
            place = (kind, entry.name)
            taken = offered.get(place) or self.registrations.get(place)
            if taken is not None:
                raise PluginError(
                    f"{kind} {entry.name!r} ({entry.target}) is already registered by plugin {taken.plugin!r} "
                    f"({taken.target})"
                )
            offered[place] = entry

        return register

    def of_kind(self, kind: str) -> list[Registration]:
        """All registrations of a kind, by name."""
        return sorted((entry for entry in self.registrations.values() if entry.kind == kind), key=lambda e: e.name)

    def get(self, kind: str, name: str) -> Registration:
        """The registration of a name; every encoder NAME is the method encoder:NAME, too.

        Raises:
            PluginError: No such name; the message suggests near ones and lists all.
        """
        if kind == "method" and name.startswith(ENCODER_PREFIX):
            encoder = self.get("encoder", name.removeprefix(ENCODER_PREFIX))
            return replace(encoder, kind=kind, name=name, target=_METHOD_OF_ENCODER, arguments=(encoder,))
        if (kind, name) in self.registrations:
            return self.registrations[kind, name]
        sentence = unknown_name(kind.replace("_", " "), name, (entry.name for entry in self.of_kind(kind)))
        kept_out = ", ".join(plugin.plugin for plugin in self.broken)
        raise PluginError(f"{sentence} (kept out as broken: {kept_out})" if kept_out else sentence)

    def load(self, kind: str, name: str) -> Any:
        """Import the factory registered under a name (see `get` and `Registration.load` for errors)."""
        return self.get(kind, name).load()

    def build(self, kind: str, name: str, *arguments: Any) -> Any:
        """What the factory of a name makes (see `get` and `Registration.build` for errors)."""
        return self.get(kind, name).build(*arguments)


def _package_folder(module: object) -> Path | None:
    """The folder of the package that a plugin's module is, or lies in; a module in no package has none of its own."""
    if not isinstance(module, types.ModuleType) or not module.__file__ or not module.__package__:
        return None
    return Path(module.__file__).resolve().parent


def discover(variable: str | None = None) -> Registry:
    """Build a registry from the installed entry points.

    Args:
        variable: What TOOLKIT_PLUGINS says (None: unset, everything is loaded).
    """
    registry = Registry()
    wanted = None if variable is None else {name.strip() for name in variable.split(",") if name.strip()}
    points: dict[str, EntryPoint] = {}
    # built-ins first: whoever else takes one of their names is kept out
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda each: (not _is_built_in(each), each.name)):
        first = points.setdefault(point.name, point)
        if first.value != point.value:
            registry.broken.append(
                BrokenPlugin(point.name, f"two packages install a plugin of this name: {first.value} and {point.value}")
            )
    for missing in sorted((wanted or set()) - points.keys()):
        registry.broken.append(BrokenPlugin(missing, unknown_name("plugin", missing, points)))
    for name, point in points.items():
        if wanted is None or name in wanted:
            registry.load_plugin(name, point.load)
    return registry


def _is_built_in(point: EntryPoint) -> bool:
    return point.value.split(".")[0] == BUILT_IN_PACKAGE


def method_and_plugin(name: str) -> str:
    """A method as messages name it: with its plugin, where that is somebody else's."""
    entry = registered_method(name)
    strangers = entry is not None and entry.is_strangers
    return f"the method {name!r} of the plugin {entry.plugin!r}" if entry and strangers else f"the method {name!r}"


def registered_method(name: str) -> Registration | None:
    """The registration of a method, if it has one."""
    try:
        return default_registry().get("method", name)
    except PluginError:
        return None


@functools.cache
def default_registry() -> Registry:
    """The registry of this process, made once from the environment."""
    return discover(os.environ.get(PLUGINS_VARIABLE))
