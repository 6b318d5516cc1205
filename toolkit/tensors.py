"""Safetensors files with a JSON header of our own: written atomically, read with a bounded header, never executed."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from toolkit.errors import WeightsError
from toolkit.files import atomic_write

HEADER_LIMIT = 16 * 2**20
"""Largest accepted safetensors header in bytes."""
_PICKLES = {bytes([128, protocol]): "a pickle" for protocol in range(2, 6)}
_PICKLES[b"PK\x03\x04"] = "a zip, as torch.save writes them round a pickle"
"""What else people call weights, by how it begins; only looked at where the header's size is senseless."""
_METADATA_KEY = "toolkit"


def write_tensors(path: str | os.PathLike[str], tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write tensors and a JSON-able description of them.

    Raises:
        OutputError: The place cannot be written.
    """
    with atomic_write(path) as temporary:
        save_file(_apart(tensors), temporary, metadata={_METADATA_KEY: json.dumps(metadata, sort_keys=True)})


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as safetensors wants them: contiguous, no two sharing memory; copied only where they are not."""
    found: dict[str, Tensor] = {}
    storages: set[int] = set()
    for name, tensor in tensors.items():
        flat = tensor.detach().to("cpu").contiguous()
        if flat.untyped_storage().data_ptr() in storages:
            flat = flat.clone()
        storages.add(flat.untyped_storage().data_ptr())
        found[name] = flat
    return found


def copy_in_32_bit(tensor: Tensor) -> Tensor:
    """A copy, in 32 bit where it was kept in 16: generators compute in 32."""
    kept_short = tensor.is_floating_point() and tensor.element_size() < 4
    return tensor.float() if kept_short else tensor.clone()


def read_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read only the description (empty for files that are not ours).

    Raises:
        WeightsError: The file is missing or not a sound safetensors file.
    """
    check_header(path)
    try:
        with readable(path) as place, safe_open(place, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get(_METADATA_KEY, "{}"))
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path} is not a sound safetensors file: {error}") from error
    return metadata if isinstance(metadata, dict) else {}


def tensor_names(path: str | os.PathLike[str]) -> set[str]:
    """The names of all tensors.

    Raises:
        WeightsError: The file is missing or not a sound safetensors file.
    """
    check_header(path)
    try:
        with readable(path) as place, safe_open(place, framework="pt") as file:
            return set(file.keys())
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a sound safetensors file: {error}") from error


def read_tensors(path: str | os.PathLike[str], device: str = "cpu") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read all tensors, in the types they are stored in, and the description.

    Raises:
        WeightsError: The file is missing or not a sound safetensors file.
    """
    metadata = read_metadata(path)
    try:
        with readable(path) as place, safe_open(place, framework="pt", device=device) as file:
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a sound safetensors file: {error}") from error


def read_weights(path: str | os.PathLike[str], device: str = "cpu") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a network's weights, 16-bit ones as float32, and the description.

    Raises:
        WeightsError: The file is missing or not sound, or a tensor holds NaN or infinity: a network would make nothing
            but NaN of every photo, each time without saying whose fault it is.
    """
    tensors, metadata = read_tensors(path, device)
    check_finite(tensors, path)
    return single(tensors), metadata


def check_finite(tensors: Mapping[str, Tensor], path: str | os.PathLike[str]) -> None:
    """Refuse weights of which one is not a number.

    Raises:
        WeightsError: A tensor holds NaN or infinity.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise WeightsError(f"{path}: tensor {name!r} holds NaN or infinity")


@contextlib.contextmanager
def readable(path: str | os.PathLike[str]) -> Iterator[str]:
    """A path by which safetensors can open a file: it takes only names that are UTF-8."""
    name = os.fspath(path)
    try:
        name.encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory() as folder:
            link = Path(folder) / "tensors"
            link.symlink_to(os.path.abspath(name))
            yield str(link)
    else:
        yield name


def check_header(path: str | os.PathLike[str]) -> None:
    """Check that the file exists and its header's size is sane, before any library reads it.

    Raises:
        WeightsError: It does not, or it is not.
    """
    file = Path(path)
    if not file.is_file():
        raise WeightsError(f"weights file {file} does not exist" if not file.exists() else f"{file} is not a file")
    with open(file, "rb") as stream:
        prefix = stream.read(8)
    size = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
    if not 2 <= size <= min(HEADER_LIMIT, file.stat().st_size - 8):
        kind = next((kind for start, kind in _PICKLES.items() if prefix.startswith(start)), None)
        if kind is not None:
            advice = "nothing in it is run here; `toolkit weights import` reads official files"
            raise WeightsError(f"{file} is not a sound safetensors file, but {kind}: {advice}")
        raise WeightsError(f"{file} is not a sound safetensors file: its header claims {size} bytes")


def is_safetensors(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as safetensors do; False for any other file.

    Raises:
        WeightsError: There is no such file.
    """
    file = Path(path)
    if not file.is_file():
        raise WeightsError(f"weights file {file} does not exist" if not file.exists() else f"{file} is not a file")
    with open(file, "rb") as stream:
        start = stream.read(9)
    return file.suffix == ".safetensors" or (start[8:] == b"{" and start[:2] != b"PK")


def half(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Store floating point tensors in 16 bits; other types stay."""
    return {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def single(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring 16-bit tensors back to float32; other types stay."""
    return {name: tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
            for name, tensor in tensors.items()}  # fmt: skip


def carries_gradient(value: Any) -> bool:
    """Whether a tensor, or one among nested lists and dictionaries, requires a gradient."""
    if isinstance(value, Mapping):
        return any(map(carries_gradient, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(map(carries_gradient, value))
    return isinstance(value, Tensor) and value.requires_grad
