"""Weights: reading and writing them as plain data, and building official architectures from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

__all__ = ["build_official"]


def build_official(kind: str, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> Module:
    """Build a module from an official state dict; see `toolkit.weights.official.build_official`."""
    from toolkit.weights.official import build_official as build

    return build(kind, state_dict, config)
