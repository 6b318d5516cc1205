"""Sizes of a network, read off its state dict by majority: one damaged entry is then named, not believed."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from torch import Tensor

from toolkit.errors import ConfigError
from toolkit.registry import unknown_name

Shapes = Mapping[str, tuple[int, ...]]
_Config = TypeVar("_Config")
_DIGITS = 9
"""A part's number with so many digits is none; int() itself gives up on very long ones."""


def shapes_of(state_dict: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Shape of every entry."""
    return {key: tuple(value.shape) for key, value in state_dict.items()}


def agreed(shapes: Shapes, places: Iterable[tuple[str, int]], default: int) -> int:
    """The size that most places agree on.

    Args:
        shapes: Shapes by key.
        places: Key and axis of entries that have this size; those that are not there are passed over.
        default: What it is where no place is left, and what a tie is decided for.
    """
    found = Counter(shapes[key][axis] for key, axis in places if key in shapes and axis < len(shapes[key]))
    if not found:
        return default
    best = max(found.values())
    return default if found[default] == best else next(size for size, count in found.items() if count == best)


def numbered(shapes: Shapes, prefix: str) -> int:
    """How many numbered parts `<prefix><n>.` there are: one more than the last that has at least two entries.

    A number beyond what so many entries could make is passed over: nothing is built as large as a name says.
    """
    parts = Counter(key[len(prefix) :].split(".")[0] for key in shapes if key.startswith(prefix))
    named = (int(name) for name, count in parts.items() if name.isdecimal() and count >= 2 and len(name) < _DIGITS)
    return max((number + 1 for number in named if number < len(shapes)), default=0)


def with_config(sizes: _Config, config: Mapping[str, Any] | None, what: str) -> _Config:
    """Let a caller's configuration overrule what was read off the shapes.

    Args:
        sizes: A dataclass of sizes.
        config: Values by field name, or None.
        what: Whose configuration it is, for the message.

    Raises:
        ConfigError: An unknown key, or a value of another kind.
    """
    assert dataclasses.is_dataclass(sizes) and not isinstance(sizes, type)
    fields = {field.name: getattr(sizes, field.name) for field in dataclasses.fields(sizes)}
    for key, value in (config or {}).items():
        if key not in fields:
            raise ConfigError(unknown_name(f"{what} setting", key, fields))
        if not _is_like(value, fields[key]):
            raise ConfigError(f"{what} setting {key!r} must be like {fields[key]!r}, got {value!r}")
    return dataclasses.replace(sizes, **dict(config or {}))


def _is_like(value: Any, default: Any) -> bool:
    """Whether a value is of the default's kind; a list will do for any."""
    if isinstance(default, int) and not isinstance(default, bool):
        return type(value) is int
    return isinstance(value, (list if type(value) is list else type(default)))
