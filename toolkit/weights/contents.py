"""From the nested content of a file to tensors by dotted names, plain values, and what objects say of themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.weights.pickle_calls import Array
from toolkit.weights.pickles import DamagedPickle, Name, Record
from toolkit.weights.stored_tensors import StoredTensor

NODES, DEPTH = 300_000, 40
"""Most values that are visited in one file, and how deep they may nest."""
_PLAIN_NODES, _PLAIN_DEPTH = 20_000, 12
_GROUPS = ("_parameters", "_buffers")


@dataclass(frozen=True)
class Module:
    """A pickled network object."""

    class_name: str
    attributes: Mapping[str, Any]
    """Plain attributes by name; nested objects' and tensors' are not among them."""
    tensors: Mapping[str, StoredTensor]
    """Tensors that are attributes and no weights, such as `plane_axes`."""


@dataclass
class Contents:
    """All that a file says."""

    tensors: dict[str, StoredTensor] = field(default_factory=dict)
    plain: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)


def flattened(content: Any) -> Contents:
    """Walk through a file's content.

    Raises:
        DamagedPickle: It nests too deeply, or its parts refer to one another without an end.
    """
    found = Contents()
    if isinstance(content, Mapping):
        found.plain = {key: plain(value) for key, value in content.items() if isinstance(key, str) and _is_plain(value)}
    waiting = [("", content, 0)]
    visited = 0
    while waiting:
        name, value, depth = waiting.pop()
        visited += 1
        if visited > NODES or depth > DEPTH:
            raise DamagedPickle("it is nested too deeply or without an end")
        if isinstance(value, Array):
            value = value.found
        if isinstance(value, StoredTensor):
            found.tensors[name] = value
            continue
        prefix = f"{name}." if name else ""
        if isinstance(value, Record) and isinstance(value.state, Mapping) and _is_module(value.state):
            found.modules[prefix] = _module(value)
        children = [(f"{prefix}{key}", child, depth + 1) for key, child in _children(value)]
        waiting.extend(reversed(children))  # the file's own order
        visited += len(children)
    return found


def plain(value: Any) -> Any:
    """Numbers, texts, lists and tables as JSON has them; names become texts, everything else None.

    Raises:
        DamagedPickle: It nests too deeply, or without an end.
    """
    budget = [_PLAIN_NODES]
    return _plain(value, 0, budget)


def _plain(value: Any, depth: int, budget: list[int]) -> Any:
    budget[0] -= 1
    if budget[0] < 0 or depth > _PLAIN_DEPTH:
        raise DamagedPickle("settings that are nested too deeply or without an end")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Name):
        return value.path
    if isinstance(value, Record):
        return _plain(value.state, depth + 1, budget) if isinstance(value.state, Mapping) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(each, depth + 1, budget) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(each, depth + 1, budget) for each in value]
    return None


def _is_plain(value: Any) -> bool:
    """Whether a top-level value is a setting: no tensor, no network, no table of them."""
    if isinstance(value, (StoredTensor, Array)):
        return False
    if isinstance(value, Record):
        return isinstance(value.state, Mapping) and not _is_module(value.state)
    return not isinstance(value, Mapping) or not any(isinstance(each, StoredTensor) for each in value.values())


def _is_module(state: Mapping[Any, Any]) -> bool:
    return isinstance(state.get("_parameters"), Mapping) and isinstance(state.get("_modules"), Mapping)


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    """What has tensors below a value, in the order of a state dict."""
    if isinstance(value, Record):
        state = value.state
        if not isinstance(state, Mapping):
            return
        if not _is_module(state):
            yield from _named(state)
            return
        for group in _GROUPS:
            entries = state.get(group)
            yield from _named({} if not isinstance(entries, Mapping) else entries)
        yield from _named(state["_modules"])
    elif isinstance(value, Mapping):
        yield from _named(value)


def _named(table: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for key, each in table.items():
        if isinstance(key, str) and isinstance(each, (Mapping, Record, StoredTensor, Array)):
            yield key, each


def _module(record: Record) -> Module:
    skipped = {"_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"}
    own = {key: each for key, each in record.state.items() if isinstance(key, str) and key not in skipped}
    tensors = {key: each for key, each in own.items() if isinstance(each, StoredTensor)}
    attributes = {
        key: plain(each)
        for key, each in own.items()
        if not isinstance(each, StoredTensor) and "hooks" not in key and _is_plain(each)
    }
    return Module(record.name.removeprefix("persistent:"), attributes, tensors)
