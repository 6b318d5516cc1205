"""Nested states split into tensors (for safetensors) and a JSON description, and joined again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def pack(tree: Any) -> tuple[Any, dict[str, Tensor]]:
    """Take a nested state apart.

    Args:
        tree: Mappings (keys str or int), lists and tuples of tensors, numbers, strings, booleans and None.

    Returns:
        A JSON value that describes the nesting, and the tensors by a readable path: on the CPU, contiguous, no two
        sharing memory.

    Raises:
        TypeError: Something else is in the state; the message names its place.
    """
    tensors: dict[str, Tensor] = {}
    storages: set[int] = set()

    def keep(tensor: Tensor, path: str) -> dict[str, str]:
        key = path
        while key in tensors:
            key += "'"
        flat = tensor.detach().to("cpu").contiguous()
        if flat.untyped_storage().data_ptr() in storages:  # tied weights: safetensors refuses shared memory
            flat = flat.clone()
        storages.add(flat.untyped_storage().data_ptr())
        tensors[key] = flat
        return {"tensor": key}

    def walk(node: Any, path: str) -> Any:
        if node is None or isinstance(node, bool | int | float | str):
            return node
        if isinstance(node, Tensor):
            return keep(node, path)
        if isinstance(node, Mapping) and all(isinstance(key, str | int) for key in node):
            return {"mapping": [[key, walk(value, f"{path}/{key}")] for key, value in node.items()]}
        if isinstance(node, list | tuple):
            kind = "list" if isinstance(node, list) else "tuple"
            return {kind: [walk(value, f"{path}/{index}") for index, value in enumerate(node)]}
        raise TypeError(
            f"a training state may hold tensors, numbers, strings and nestings of them; {path!r} is {node!r}"
        )

    return walk(tree, ""), tensors


def unpack(description: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Put together what `pack` took apart.

    Raises:
        KeyError: A tensor is not there.
        ValueError: The description is not one of `pack`.
    """
    if not isinstance(description, dict):
        return description
    if len(description) != 1:
        raise ValueError(f"not a packed state: {description!r}")
    ((kind, content),) = description.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "mapping":
        return {key: unpack(value, tensors) for key, value in content}
    if kind in ("list", "tuple"):
        values = [unpack(value, tensors) for value in content]
        return values if kind == "list" else tuple(values)
    raise ValueError(f"not a packed state: {kind!r}")


def first_not_finite(tree: Mapping[str, Tensor]) -> str | None:
    """Key of the first tensor that holds a NaN or an infinity, if any."""
    for key, tensor in tree.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            return key
    return None
