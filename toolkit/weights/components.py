"""Finds networks that registered architectures recognise among a file's tensors, whatever the prefixes of names."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from toolkit.errors import ToolkitError
from toolkit.interfaces import Architecture
from toolkit.registry import default_registry
from toolkit.weights.official_files import OfficialFile

DEPTH = 6
"""Longest prefix, in dots, at which a network is looked for."""
FEWEST = 4
"""Entries of the smallest network."""


@dataclass(frozen=True)
class Component:
    """A network in a file."""

    file: OfficialFile
    prefix: str
    """What stands before its keys, e.g. 'encoder.'; empty: nothing."""
    kinds: tuple[str, ...]
    """Architectures that recognise it; several where keys do not tell them apart."""

    @property
    def place(self) -> str:
        """File and prefix, for messages."""
        return f"{self.file.path.name}:{self.prefix.rstrip('.') or '(top)'}"

    def mentions(self, words: Iterable[str]) -> bool:
        """Whether one of the words stands in the file's name or before the tensors' names."""
        text = f"{self.file.path.stem}.{self.prefix}".lower()
        return any(word in text for word in words)


def find_components(file: OfficialFile) -> list[Component]:
    """All networks of a file, the outermost ones only."""
    tables: dict[str, dict[str, tuple[int, ...]]] = {}
    for key, tensor in file.tensors.items():
        parts = key.split(".")
        for depth in range(min(len(parts), DEPTH + 1)):
            prefix = ".".join(parts[:depth]) + ("." if depth else "")
            tables.setdefault(prefix, {})[key[len(prefix) :]] = tuple(tensor.shape)
    found: list[Component] = []
    for prefix in sorted(tables, key=lambda each: each.count(".")):
        if len(tables[prefix]) < FEWEST or any(prefix.startswith(outer.prefix) for outer in found):
            continue
        kinds = recognised(tables[prefix])
        if kinds:
            found.append(Component(file, prefix, kinds))
    return found


def averaged(components: list[Component]) -> list[Component]:
    """Leave out networks beside which the file has the average of their weights (G beside G_ema)."""
    kept = []
    for component in components:
        alike = [other for other in components if other.kinds == component.kinds]
        ema = [other for other in alike if "ema" in other.prefix.lower()]
        if not ema or component in ema:
            kept.append(component)
    return kept


def recognised(shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    """The kinds whose architecture recognises a table of shapes."""
    return tuple(kind for kind, architecture in architectures().items() if _recognises(architecture, shapes))


@functools.cache
def architectures() -> dict[str, Architecture]:
    """All registered architectures by kind, without those that cannot be loaded."""
    registry, found = default_registry(), {}
    for entry in registry.of_kind("architecture"):
        try:
            found[entry.name] = entry.build()
        except Exception:
            continue
    return found


def _recognises(architecture: Architecture, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    try:
        return bool(architecture.recognises(shapes))
    except (ToolkitError, ArithmeticError, LookupError, TypeError, ValueError):
        return False  # shapes that are so odd are none of this kind
