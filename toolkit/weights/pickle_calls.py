"""The few calls in pickles of weights that are understood, each as a function of its arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch

from toolkit.weights.pickles import Blob, Call, DamagedPickle, Name, Record
from toolkit.weights.stored_tensors import DTYPES, StoredBytes, StoredTensor, contiguous, stored_tensor

PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
"""What NVIDIA's persistence pickles call with a description of an object and its class's source text."""
_NUMPY_CODE = re.compile(r"[<>=|]?([biuf][1248]|\?)")
_NUMPY_DTYPES = {
    "f2": torch.float16, "f4": torch.float32, "f8": torch.float64, "i1": torch.int8, "i2": torch.int16,
    "i4": torch.int32, "i8": torch.int64, "u1": torch.uint8, "b1": torch.bool, "?": torch.bool,
}  # fmt: skip


class ArrayType:
    """numpy's description of a number: little-endian ones only."""

    def __init__(self, code: Any) -> None:
        """Read a code such as 'f8' or '<f4'."""
        match = _NUMPY_CODE.fullmatch(code) if isinstance(code, str) else None
        self.dtype = None if match is None else _NUMPY_DTYPES.get(match.group(1))
        self.swapped = isinstance(code, str) and code.startswith(">")

    def take_state(self, state: Any) -> None:
        """Take the byte order, the second entry of numpy's state."""
        self.swapped = isinstance(state, tuple) and len(state) > 1 and state[1] == ">"

    def checked(self) -> torch.dtype:
        """The same as torch names it.

        Raises:
            DamagedPickle: Objects, texts, or numbers of the other byte order.
        """
        if self.dtype is None or self.swapped:
            raise DamagedPickle("an array whose entries are not plain little-endian numbers")
        return self.dtype


class Array:
    """A numpy array that gets its numbers by its state; `found` is None until then."""

    found: StoredTensor | None = None

    def take_state(self, state: Any) -> None:
        """(version, shape, type, in columns, bytes)."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise DamagedPickle("an array without a shape")
        self.found = array_of(state[4], state[2], state[1], fortran=bool(state[3]))


def array_of(data: Any, kind: Any, shape: Any, *, fortran: bool = False) -> StoredTensor:
    """An array's numbers as a tensor.

    Raises:
        DamagedPickle: Its size is not that of the bytes, or its entries are not numbers.
    """
    if not isinstance(kind, ArrayType) or not isinstance(data, (bytes, bytearray, Blob)):
        raise DamagedPickle("an array whose entries are not plain little-endian numbers")
    dtype, size = kind.checked(), data.size if isinstance(data, Blob) else len(data)
    storage = StoredBytes(dtype, size // dtype.itemsize, data.read if isinstance(data, Blob) else lambda: bytes(data))
    tensor = contiguous(storage, shape, fortran) if isinstance(shape, tuple) else None
    if tensor is None or tensor.nbytes != size:
        raise DamagedPickle(f"an array of shape {str(shape)[:80]} of {size} bytes")
    return tensor


def calls(load_blob: Callable[[Any], Any] | None = None) -> dict[str, Call]:
    """What is made of known calls.

    Args:
        load_blob: Reads a torch stream inside bytes; None: such streams are refused.
    """
    known: dict[str, Call] = {
        PERSISTENT: _persistent,
        "torch._utils._rebuild_tensor_v2": lambda args: stored_tensor(*_first(args, 4)),
        "torch._utils._rebuild_tensor": lambda args: stored_tensor(*_first(args, 4)),
        "torch._utils._rebuild_tensor_v3": _typed_tensor,
        "torch._utils._rebuild_parameter": lambda args: _first(args, 1)[0],
        "torch._utils._rebuild_parameter_with_state": lambda args: _first(args, 1)[0],
        "torch.Size": lambda args: tuple(_sequence(args)),
        "torch.device": lambda args: ":".join(map(str, args[:2])),
        "collections.OrderedDict": _table,
        "collections.defaultdict": lambda args: {},
        "dnnlib.util.EasyDict": _table,
        "numpy.dtype": lambda args: ArrayType(args[0] if args else None),
        "_codecs.encode": _latin_bytes,
    }
    for numpy in ("numpy.core", "numpy._core"):
        known[f"{numpy}.multiarray.scalar"] = _scalar
        known[f"{numpy}.multiarray._reconstruct"] = lambda args: Array()
        known[f"{numpy}.numeric._frombuffer"] = lambda args: array_of(*_first(args, 3), fortran=args[3:4] == ("F",))
    for module in ("builtins", "__builtin__"):
        known[f"{module}.set"] = known[f"{module}.frozenset"] = _plain_set
        known[f"{module}.list"] = lambda args: list(_sequence(args))
        known[f"{module}.tuple"] = lambda args: tuple(_sequence(args))
        known[f"{module}.dict"] = _table
    if load_blob is not None:
        reader = load_blob
        known["torch.storage._load_from_bytes"] = lambda args: reader(_first(args, 1)[0])
    return known


def storage_dtype(name: Any) -> torch.dtype:
    """The type of a storage class named in a pickle.

    Raises:
        DamagedPickle: It is none that is known here.
    """
    if isinstance(name, Name) and name.path.startswith("torch."):
        found = DTYPES.get(name.path.rpartition(".")[2])
        if found is not None:
            return found
    raise DamagedPickle(f"numbers of the unknown type {name.path if isinstance(name, Name) else name!r:.80}")


def _first(args: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    if len(args) < count:
        raise DamagedPickle(f"a call with {len(args)} arguments where {count} belong")
    return args[:count]


def _sequence(args: tuple[Any, ...]) -> Any:
    value = args[0] if args else ()
    if not isinstance(value, (list, tuple)):
        raise DamagedPickle("a sequence made of something else")
    return value


def _plain_set(args: tuple[Any, ...]) -> set[Any]:
    """Sets only hold names in files of weights; other members do not matter here."""
    return {item for item in _sequence(args) if isinstance(item, str)}


def _table(args: tuple[Any, ...]) -> dict[Any, Any]:
    if args and isinstance(args[0], dict):
        return dict(args[0])
    pairs = _sequence(args)
    if not all(isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], str) for pair in pairs):
        raise DamagedPickle("a table that is not made of pairs")
    return {pair[0]: pair[1] for pair in pairs}


def _persistent(args: tuple[Any, ...]) -> Record:
    description = args[0] if args else None
    if not isinstance(description, dict) or description.get("type") != "class":
        raise DamagedPickle("a persistent object without a description")
    # the class's source text, `module_src`, is dropped unread
    return Record(f"persistent:{description.get('class_name')!s:.100}", (), description.get("state"))


def _typed_tensor(args: tuple[Any, ...]) -> StoredTensor:
    storage, offset, shape, strides = _first(args, 4)
    name = args[6].path if len(args) > 6 and isinstance(args[6], Name) else ""
    dtype = getattr(torch, name.removeprefix("torch."), None) if re.fullmatch(r"torch\.[a-z0-9]+", name) else None
    if not isinstance(storage, StoredBytes) or not isinstance(dtype, torch.dtype):
        raise DamagedPickle("a tensor without numbers")
    count = storage.count * storage.dtype.itemsize // dtype.itemsize
    return stored_tensor(StoredBytes(dtype, count, storage.raw), offset, shape, strides)


def _latin_bytes(args: tuple[Any, ...]) -> bytes:
    """How old protocols write bytes."""
    text, encoding = _first(args, 2)
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise DamagedPickle("bytes in an unknown encoding")
    return text.encode("latin-1")


def _scalar(args: tuple[Any, ...]) -> Any:
    kind, data = _first(args, 2)
    if isinstance(data, str):
        data = data.encode("latin-1")
    return array_of(data, kind, ()).tensor().item()
