"""How the official files of an inversion method become one of this toolkit's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True)
class Part:
    """One network of a method."""

    name: str
    """In the method's file."""
    kinds: tuple[str, ...]
    """Architectures that it may be of."""
    words: tuple[str, ...] = ()
    """One of them stands in the file's name or before the tensors' names, where a method has several such networks."""


@runtime_checkable
class MethodFile(Protocol):
    """Says of which networks a method's checkpoint consists, and what its header must say."""

    kind: str
    """The method's name, and its files' kind."""
    licence: str
    """Of the official weights."""
    generator: str
    """The registered generator that the official weights belong to; empty: any."""

    def parts(self) -> Sequence[Part]:
        """The networks; all must be there."""
        ...

    def claims(self, settings: Mapping[str, Any]) -> bool | None:
        """Whether a checkpoint whose plain entries these are is of this method; None: they do not tell."""
        ...

    def config(self, modules: Mapping[str, Module], settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the method's reader needs to build the networks again, as JSON values; networks by part name."""
        ...
