"""Decoding a data set's files by the rules of `toolkit.pictures`: image, mask and depth bytes to tensors."""

from __future__ import annotations

import io
import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from toolkit.data.layout import DEPTH_SCALE
from toolkit.errors import InputError
from toolkit.pictures import grey_pixels, open_picture, open_values, rgb_pixels

_DEPTH_MODES = ("I;16", "I;16B", "I;16L", "I")


def decode_image(data: bytes, name: str) -> Tensor:
    """Decode a square picture to [3, S, S] in [-1, 1]; transparency is put on white.

    Raises:
        InputError: It cannot be decoded, is not square, or is too large.
    """
    pixels = rgb_pixels(_square(data, name)).astype(np.float32)
    return torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1).contiguous()


def decode_pixels(data: bytes, name: str, at_least: int | None = None) -> np.ndarray:
    """Decode a square picture to uint8 [S, S, 3]; transparency is put on white.

    Args:
        data: The file's content.
        name: What messages call it.
        at_least: A JPEG picture may be decoded at half, a quarter or an eighth of its side, but not below this many
            pixels (its own decoder's way, several times faster); None: at its full size.

    Raises:
        InputError: As for `decode_image`.
    """
    return rgb_pixels(_square(data, name, at_least))


def reduced_sides(side: int) -> list[int]:
    """Sides that a JPEG picture of some side may have where it is decoded at a fraction of its size."""
    return [-(-side // part) for part in (2, 4, 8)]


def decode_mask(data: bytes, name: str) -> Tensor:
    """Decode an 8-bit mask to [1, S, S] in [0, 1].

    Raises:
        InputError: As for `decode_image`.
    """
    return torch.from_numpy(grey_pixels(_square(data, name)).astype(np.float32) / 255)[None]


def decode_depth(data: bytes, name: str) -> Tensor:
    """Decode depth, a 16-bit PNG or an NPY array [S, S] or [1, S, S], to [1, S, S] in world units.

    Raises:
        InputError: It cannot be decoded, is not square, or holds negative or non-finite values.
    """
    values = _read_npy(data, name) if name.lower().endswith(".npy") else _read_depth_picture(data, name)
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[0] != 1 or values.shape[1] != values.shape[2]:
        raise InputError(f"{name}: depth must be square, [S, S], got {list(values.shape)}")
    if not np.isfinite(values).all() or (values < 0).any():
        raise InputError(f"{name}: depth must be finite and not negative")
    return torch.from_numpy(np.ascontiguousarray(values))


def _read_npy(data: bytes, name: str) -> np.ndarray:
    try:
        _check_npy_header(data)
        array = np.load(io.BytesIO(data), allow_pickle=False)
        return np.asarray(array, dtype=np.float32)
    except Exception as error:  # numpy reads the header as Python source, which fails in many ways
        raise InputError(f"{name}: not an NPY array of numbers ({error})") from error


def _check_npy_header(data: bytes) -> None:
    """Compare what an NPY header promises with the bytes that are there, before memory is taken for it.

    Raises:
        ValueError: It promises more, or is no NPY header.
    """
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if math.prod(shape) * dtype.itemsize > len(data) - stream.tell():
        raise ValueError(f"the header promises shape {list(shape)}, more than the file holds")


def _read_depth_picture(data: bytes, name: str) -> np.ndarray:
    picture = _checked_square(open_values(data, name), name)
    if picture.mode not in _DEPTH_MODES:
        raise InputError(f"{name}: depth must be a grey picture with 16 bits, got pixel mode {picture.mode}")
    return np.asarray(picture, dtype=np.float32) / DEPTH_SCALE


def _square(data: bytes, name: str, at_least: int | None = None) -> Image.Image:
    return _checked_square(open_picture(data, name, at_least), name)


def _checked_square(picture: Image.Image, name: str) -> Image.Image:
    if picture.width != picture.height:
        raise InputError(f"{name}: must be square, got {picture.width} x {picture.height} pixels")
    return picture
