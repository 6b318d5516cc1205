"""Checks of parts that cannot be run alone: readers of official files, and protocols."""

from __future__ import annotations

import inspect
from typing import Any

from toolkit.bench.protocols.base import BenchProtocol
from toolkit.bench.protocols.settings import ProtocolSettings
from toolkit.interfaces import Architecture, MethodFile
from toolkit.testing.requirements import require

_STRANGE = {"no.network.has.this.weight": (3, 5)}


def check_architecture(architecture: Any) -> None:
    """An architecture has a kind, and leaves files of other kinds to others."""
    require(isinstance(architecture, Architecture), "an architecture must have kind, recognises and build")
    _check_kind(architecture.kind)
    for shapes in ({}, _STRANGE):
        require(not architecture.recognises(shapes), f"it recognises a file with the keys {list(shapes)}, too")


def check_method_file(file: Any) -> None:
    """A method's file has a kind and networks, and claims no checkpoint that says nothing."""
    require(
        isinstance(file, MethodFile), "a method's file must have kind, licence, generator, parts, claims and config"
    )
    _check_kind(file.kind)
    require(bool(file.licence), "it must name the licence of the official weights")
    names = [part.name for part in file.parts()]
    require(bool(names) and len(set(names)) == len(names), f"parts() must name networks, each once, got {names}")
    require(file.claims({}) is not True, "it claims a checkpoint that says nothing")


def check_protocol(protocol: Any) -> None:
    """A protocol is a class derived from `BenchProtocol` whose shipped settings exist."""
    derived = isinstance(protocol, type) and issubclass(protocol, BenchProtocol)
    require(derived, f"a protocol must be a class derived from toolkit.bench.BenchProtocol, got {protocol!r}")
    missing = sorted(protocol.__abstractmethods__) if inspect.isabstract(protocol) else []
    require(not missing, f"it does not say how to {', '.join(missing)}")
    unknown = sorted(set(protocol.shipped) - set(ProtocolSettings.model_fields))
    require(not unknown, f"shipped has no setting {', '.join(unknown)}; what is a protocol's own stands in options")


def _check_kind(kind: Any) -> None:
    require(isinstance(kind, str) and bool(kind), f"kind must be a name, got {kind!r}")
