"""Checks what a weights file's header asks for, before anything is built from it."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.errors import WeightsError

SENSELESS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What constructors of networks make of senseless sizes."""

_LARGEST_SIZE, _LARGEST_SUM, _DEEPEST = 1 << 20, 4096, 8
"""Largest number in a configuration, largest sum of a list of counts, deepest nesting."""


@contextlib.contextmanager
def layers_without_size_refused() -> Iterator[None]:
    """Let torch, which builds layers of size 0 with a warning, raise one of `SENSELESS`: no network has them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Initializing zero-element tensors", UserWarning)
        try:
            yield
        except UserWarning as error:
            raise ValueError("a layer of size 0") from error


def check_described(header: Mapping[str, Any], where: str) -> None:
    """Bound what a header may ask for, before anything is built from it.

    Raises:
        WeightsError: Configuration or generator are not tables, or a number in the configuration is beyond any network.
    """
    for key in ("config", "generator"):
        if not isinstance(header.get(key, {}), Mapping):
            raise WeightsError(f"{where}: its header has {type(header[key]).__name__} where {key!r} should be a table")
    waiting: list[tuple[Any, int]] = [(header.get("config", {}), 0)]
    while waiting:
        value, depth = waiting.pop()
        inner = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else []
        counts = [each for each in inner if type(each) is int] if isinstance(value, list) else []
        large = type(value) is int and abs(value) > _LARGEST_SIZE
        if large or sum(map(abs, counts)) > _LARGEST_SUM or len(inner) > _LARGEST_SUM or depth > _DEEPEST:
            raise WeightsError(f"{where}: its header asks for a network of impossible size")
        waiting += [(each, depth + 1) for each in inner]
