"""Networks' outputs for a picture, kept in memory: the same target is compared with every method's renders."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

LIMIT = 256 * 2**20
"""Bytes of what is remembered in a process about pictures on the CPU."""
LIMIT_ELSEWHERE = 2 * 2**30
"""The same where pictures are on a GPU, which sees many at once."""

Rows = TypeVar("Rows", Tensor, tuple[Tensor, ...])


class Remembered:
    """Results of functions of pictures, by owner and by the picture's content; the oldest are forgotten."""

    def __init__(self, limit: int | None = None) -> None:
        """Start empty; `limit` is in bytes (None: by where the pictures are)."""
        self._given, self._held = limit, 0
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
        key = _key(owner, picture, more)
        if key in self._known:
            return self._again(key)
        found = compute(picture)
        self._keep(key, owner, found, self._limit(picture))
        return found

    def rows(self, owner: object, pictures: Tensor, compute: Callable[[Tensor], Rows], *more: Any) -> Rows:
        """What `compute(pictures)` returns, where only pictures that are not known yet are computed, all together.

        Args:
            owner: As for `get`.
            pictures: [B, ...].
            compute: A function that gives one row per picture, in one tensor or several; rows do not depend on the
                other pictures.
            more: As for `get`.

        Returns:
            Rows [B, ...], to be left as they are.
        """
        if pictures.requires_grad and torch.is_grad_enabled():
            return compute(pictures)
        keys = [_key(owner, picture[None], more) for picture in pictures]
        found = {key: self._again(key) for key in keys if key in self._known}
        new = {key: place for place, key in enumerate(keys) if key not in found}
        if new:
            computed = compute(pictures if len(new) == len(keys) else pictures[list(new.values())])
            for row, key in enumerate(new):
                found[key] = computed if len(new) == 1 else _row(computed, row)
                self._keep(key, owner, found[key], self._limit(pictures))
        return found[keys[0]] if len(keys) == 1 else _joined([found[key] for key in keys])

    def _limit(self, picture: Tensor) -> int:
        if self._given is not None:
            return self._given
        return LIMIT if picture.device.type == "cpu" else LIMIT_ELSEWHERE

    def _again(self, key: tuple[Any, ...]) -> Any:
        self._known.move_to_end(key)
        return self._known[key][1]

    def _keep(self, key: tuple[Any, ...], owner: object, found: Any, limit: int) -> None:
        size = _bytes_of(found)
        if size <= limit:
            self._known[key] = owner, found, size
            self._held += size
            while self._held > limit:
                self._held -= self._known.popitem(last=False)[1][2]

    def __len__(self) -> int:
        """How many results are held."""
        return len(self._known)


def _key(owner: object, picture: Tensor, more: tuple[Any, ...]) -> tuple[Any, ...]:
    content = hashlib.sha1(picture.detach().cpu().contiguous().numpy().tobytes(), usedforsecurity=False).digest()
    return (id(owner), content, tuple(picture.shape), str(picture.device), picture.dtype, more)


def _row(rows: Rows, place: int) -> Any:
    """One row as a batch of 1, in memory of its own."""
    if isinstance(rows, Tensor):
        return rows[place : place + 1].clone()
    return tuple(part[place : place + 1].clone() for part in rows)


def _joined(rows: Sequence[Any]) -> Any:
    if isinstance(rows[0], Tensor):
        return torch.cat([*rows])
    return tuple(torch.cat(parts) for parts in zip(*rows, strict=True))


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
