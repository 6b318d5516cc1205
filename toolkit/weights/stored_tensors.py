"""Tensors that a file declares: checked against what the file holds before anything is allocated, read when wanted."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from toolkit.weights.pickles import Blob, DamagedPickle

MOST_AXES = 16
DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "UntypedStorage": torch.uint8,
}
"""Types by the names of torch's storage classes."""


class StoredBytes:
    """The numbers of one storage, somewhere in the file."""

    def __init__(self, dtype: torch.dtype, count: int, read: Callable[[], bytes] | None = None) -> None:
        """Describe them; `read` gives their bytes (None: `place` comes later)."""
        self.dtype, self.count, self._read = dtype, count, read

    def place(self, blob: Blob) -> None:
        """Say where the bytes are."""
        self._read = blob.read

    def raw(self) -> bytes:
        """Their bytes.

        Raises:
            DamagedPickle: Nobody said where they are.
        """
        if self._read is None:
            raise DamagedPickle("a storage that the file does not hold")
        return self._read()

    @functools.cached_property
    def numbers(self) -> Tensor:
        """All of them, [count], kept until `release` for further tensors of the storage."""
        return self.read_numbers()

    def release(self) -> None:
        """Forget the numbers; they can be read again."""
        self.__dict__.pop("numbers", None)

    def read_numbers(self) -> Tensor:
        """All of them, [count], read once more.

        Raises:
            DamagedPickle: There are not as many bytes as numbers.
        """
        if self.count == 0:
            return torch.empty(0, dtype=self.dtype)
        raw = bytearray(self.raw())
        if len(raw) != self.count * self.dtype.itemsize:
            raise DamagedPickle(f"{len(raw)} bytes for {self.count} numbers of type {self.dtype}")
        if self.dtype == torch.bool:
            return torch.frombuffer(raw, dtype=torch.uint8) != 0
        return torch.frombuffer(raw, dtype=self.dtype)


@dataclass(frozen=True, eq=False, repr=False)
class StoredTensor:
    """A tensor that is read when wanted."""

    storage: StoredBytes
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """How many bytes the tensor takes in memory."""
        count = 1
        for side in self.shape:
            count *= side
        return count * self.storage.dtype.itemsize

    def tensor(self) -> Tensor:
        """A copy of its own."""
        if self._takes_all:  # nothing is left of the storage for others, so it is not kept
            return self.storage.read_numbers().reshape(self.shape)
        return torch.as_strided(self.storage.numbers, self.shape, self.strides, self.offset).clone(
            memory_format=torch.contiguous_format
        )

    @property
    def _takes_all(self) -> bool:
        """Whether the tensor is its whole storage, row by row."""
        step, count = 1, self.storage.count
        for side, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if stride != step and side != 1:
                return False
            step *= side
        return self.offset == 0 and step == count

    def take_state(self, _state: Any) -> None:
        """Attributes that somebody gave to a tensor tell nothing about its numbers."""


def stored_tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> StoredTensor:
    """Check a declared tensor against its storage.

    Raises:
        DamagedPickle: It is none, or reaches beyond the storage.
    """
    if not isinstance(storage, StoredBytes) or not _is_count(offset):
        raise DamagedPickle("a tensor without numbers")
    if not isinstance(shape, tuple) or not isinstance(strides, tuple) or len(shape) != len(strides):
        raise DamagedPickle("a tensor without a shape")
    if len(shape) > MOST_AXES or not all(map(_is_count, (*shape, *strides))):
        raise DamagedPickle(f"a tensor of shape {str(shape)[:80]}")
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    if 0 not in shape and last >= storage.count:
        raise DamagedPickle(f"a tensor of shape {list(shape)} in a storage of {storage.count} numbers")
    return StoredTensor(storage, offset, shape, strides)


def contiguous(storage: StoredBytes, shape: tuple[int, ...], fortran: bool = False) -> StoredTensor:
    """A tensor that takes a whole storage, row by row (or column by column)."""
    strides, step = [0] * len(shape), 1
    for axis in range(len(shape)) if fortran else reversed(range(len(shape))):
        strides[axis] = step
        step *= shape[axis]
    return stored_tensor(storage, 0, shape, tuple(strides))


def read_all(tensors: Mapping[str, StoredTensor | Tensor]) -> dict[str, Tensor]:
    """The tensors as numbers, in order; one storage at a time is held besides, however many share it or lie about it.

    Raises:
        DamagedPickle: A storage does not have the bytes that it declares.
    """
    found: dict[str, Tensor] = {}
    held: StoredBytes | None = None
    for name, value in tensors.items():
        if isinstance(value, Tensor):
            found[name] = value
            continue
        if held is not None and held is not value.storage:
            held.release()
        held = value.storage
        found[name] = value.tensor()
    if held is not None:
        held.release()
    return found


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**48
