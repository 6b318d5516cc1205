"""How official weights find the class that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


@runtime_checkable
class Architecture(Protocol):
    """One kind of official file: recognised by its keys, built from its shapes."""

    kind: str

    def recognises(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether a state dict with these keys and shapes is of this kind."""
        ...

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> Module:
        """Build the module that fits the state dict, weights not yet loaded.

        Raises:
            WeightsError: The shapes contradict each other or the config.
        """
        ...


@runtime_checkable
class AllowsExtraKeys(Protocol):
    """Capability: official files may hold entries that the module has no use for."""

    extra_keys: tuple[str, ...]
    """Their whole keys."""


@runtime_checkable
class ComputesBuffers(Protocol):
    """Capability: the module computes some buffers by itself, so that a file may lack them."""

    computed_keys: tuple[str, ...]
    """The last part of the buffers' keys."""
