"""Opens a third party's weights file, whatever its format, without executing anything in it."""

from __future__ import annotations

import json
import math
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from toolkit.errors import WeightsError
from toolkit.tensors import read_tensors
from toolkit.weights.contents import Contents, Module, flattened
from toolkit.weights.pickle_calls import ArrayType
from toolkit.weights.pickles import Blob, DamagedPickle, Window
from toolkit.weights.stored_tensors import StoredBytes, StoredTensor, contiguous, read_all
from toolkit.weights.torch_files import MAGIC_BYTES, TorchReader

ARRAY = "array"
"""Name of the only tensor of an .npy file."""
_SLACK = 2**20
_ARRAY_HEADER = 10_000


@dataclass(frozen=True)
class OfficialFile:
    """What a file holds: tensors by dotted names, and what else was said about them."""

    path: Path
    tensors: Mapping[str, StoredTensor | Tensor]
    plain: Mapping[str, Any]
    """Numbers, texts and tables that are not tensors, by the file's own names."""
    modules: Mapping[str, Module]
    """What a pickled object said of itself, by the dotted prefix of its tensors."""
    inert: Mapping[str, int]
    """Calls that the file asks for and that were not made, with how often."""

    def shapes(self, prefix: str = "") -> dict[str, tuple[int, ...]]:
        """Shapes by name, of what begins with a prefix, without it."""
        return {key[len(prefix) :]: tuple(value.shape) for key, value in self.tensors.items() if key.startswith(prefix)}

    def read(self, prefix: str = "") -> dict[str, Tensor]:
        """The tensors that begin with a prefix, without it.

        Raises:
            WeightsError: They are larger than the file, or damaged.
        """
        wanted = {key[len(prefix) :]: value for key, value in self.tensors.items() if key.startswith(prefix)}
        total = sum(value.nbytes for value in wanted.values())
        if total > 2 * self.path.stat().st_size + _SLACK:
            raise WeightsError(f"{self.path} declares {total} bytes of tensors, more than it can hold")
        try:
            return read_all(wanted)
        except (DamagedPickle, RuntimeError) as error:
            raise WeightsError(f"{self.path} is damaged: {error}") from error


def read_official(path: str | os.PathLike[str]) -> OfficialFile:
    """Read a file of weights: safetensors, what torch.save wrote, a pickle, or .npy; told apart by their content.

    Raises:
        WeightsError: It is missing, damaged or something else; the message says what.
    """
    file = Path(path)
    if not file.is_file():
        raise WeightsError(f"weights file {file} does not exist" if not file.exists() else f"{file} is not a file")
    size = file.stat().st_size
    if size == 0:
        raise WeightsError(f"{file} is empty")
    with open(file, "rb") as stream:
        start = stream.read(512)
        _refuse_other_things(file, start)
        if start[8:9] == b"{" and start[:2] != b"PK":
            tensors, header = read_tensors(file)
            return OfficialFile(file, tensors, header, {}, {})
        reader = TorchReader()
        try:
            contents = flattened(_content(reader, stream, start, size))
        except DamagedPickle as error:
            raise WeightsError(f"{file} cannot be read as weights: {error}") from error
        except RecursionError as error:
            raise WeightsError(f"{file} cannot be read as weights: it is nested too deeply") from error
    return _official(file, contents, reader)


def _official(file: Path, contents: Contents, reader: TorchReader) -> OfficialFile:
    return OfficialFile(file, contents.tensors, contents.plain, contents.modules, reader.inert)


def _content(reader: TorchReader, stream: Any, start: bytes, size: int) -> Any:
    data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    if start[:4] == b"PK\x03\x04":
        return reader.zip(data)
    if start[:6] == b"\x93NUMPY":
        return {ARRAY: _array(data, size)}
    if MAGIC_BYTES in start[:40]:
        return reader.stream(data)
    if start[257:262] == b"ustar" or _looks_like_tar(start):
        return reader.tar(data)
    try:
        return reader.pickle(Window(data))
    except DamagedPickle as error:
        if start[:1] == b"\x80":
            raise
        raise DamagedPickle(
            f"it is neither safetensors, nor what torch.save writes, nor a pickle, nor .npy ({error})"
        ) from error


def _looks_like_tar(start: bytes) -> bool:
    """Old tars have no mark; torch's begin with one of its four names."""
    return start.split(b"\0", 1)[0] in (b"sys_info", b"pickle", b"tensors", b"storages") and len(start) == 512


def _refuse_other_things(file: Path, start: bytes) -> None:
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html")):
        raise WeightsError(f"{file} is a web page, not weights: its download has to be confirmed in a browser")
    if text.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{file} is a pointer of Git LFS, not weights: fetch the file itself (git lfs pull)")


def _array(data: Any, size: int) -> StoredTensor:
    """The array of an .npy file; arrays of objects are refused, since those are pickles."""
    window = Window(data, 6)
    kind, shape, fortran = _array_header(window, size)
    dtype = kind.checked()
    count = math.prod(shape)
    if count * dtype.itemsize > size - window.place:
        raise DamagedPickle(f"an array of shape {list(shape)} that the file does not hold")
    blob = Blob(data, window.place, count * dtype.itemsize)
    return contiguous(StoredBytes(dtype, count, blob.read), shape, fortran)


def _array_header(window: Window, size: int) -> tuple[ArrayType, tuple[int, ...], bool]:
    """Type, shape and whether the first axis runs fastest."""
    major, _minor = window.read(2) if size > 8 else b"\0\0"
    width = 2 if major == 1 else 4
    length = int.from_bytes(window.read(width), "little")
    if major not in (1, 2, 3) or length > min(_ARRAY_HEADER, size):
        raise DamagedPickle("an .npy file with a senseless header")
    try:
        header = _literal(window.read(length).decode("latin-1"))
        kind, shape, fortran = ArrayType(header["descr"]), tuple(header["shape"]), header["fortran_order"] is True
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedPickle("an .npy file with a senseless header") from error
    if not all(type(side) is int and side >= 0 for side in shape):
        raise DamagedPickle("an .npy file with a senseless shape")
    return kind, shape, fortran


def _literal(text: str) -> Any:
    """The header of an .npy file, which is written like a Python dictionary, read as JSON."""
    for old, new in (("(", "["), (")", "]"), ("'", '"'), ("False", "false"), ("True", "true")):
        text = text.replace(old, new)
    return json.loads(text.replace(",]", "]").replace(", }", "}").replace(",}", "}"))
