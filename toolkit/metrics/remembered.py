"""What networks say about a picture, remembered: the same target is compared with every method's renders."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

LIMIT = 256 * 2**20
"""Bytes of what is remembered in a process."""


class Remembered:
    """Results of functions of pictures, by owner and by the picture's content; the oldest are forgotten."""

    def __init__(self, limit: int = LIMIT) -> None:
        """Start empty; `limit` is in bytes."""
        self._limit, self._held = limit, 0
        self._known: OrderedDict[tuple[Any, ...], tuple[object, Any, int]] = OrderedDict()

    def get(self, owner: object, picture: Tensor, compute: Callable[[Tensor], Any], *more: Any) -> Any:
        """What `compute(picture)` returns, computed once per content.

        Args:
            owner: Whose function it is (a network); kept alive as long as its results are.
            picture: The argument.
            compute: A function of it alone; its results are shared and must not be changed.
            more: What else the result depends on, hashable.
        """
        if picture.requires_grad and torch.is_grad_enabled():
            return compute(picture)
        content = hashlib.sha1(picture.detach().cpu().contiguous().numpy().tobytes(), usedforsecurity=False).digest()
        key = (id(owner), content, tuple(picture.shape), str(picture.device), picture.dtype, more)
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key][1]
        found = compute(picture)
        size = _bytes_of(found)
        if size <= self._limit:
            self._known[key] = owner, found, size
            self._held += size
            while self._held > self._limit:
                self._held -= self._known.popitem(last=False)[1][2]
        return found

    def __len__(self) -> int:
        """How many results are held."""
        return len(self._known)


def _bytes_of(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, (tuple, list)):
        return sum(_bytes_of(part) for part in value)
    if isinstance(value, dict):
        return sum(_bytes_of(part) for part in value.values())
    return 64


REMEMBERED = Remembered()
"""Of this process."""
