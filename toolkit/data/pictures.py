"""Decoding a data set's files: image, mask and depth bytes to tensors."""

from __future__ import annotations

import io
import warnings

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from toolkit.data.layout import DEPTH_SCALE
from toolkit.errors import InputError

PIXEL_LIMIT = 8192 * 8192
"""Most pixels that a picture may have; more is taken for a decompression bomb."""
_COLOUR_MODES = ("RGB", "RGBA", "L", "LA", "P", "1")
_DEPTH_MODES = ("I;16", "I;16B", "I;16L", "I")


def decode_image(data: bytes, name: str) -> Tensor:
    """Decode a square picture to [3, S, S] in [-1, 1]; transparency is ignored.

    Raises:
        InputError: It cannot be decoded, is not square, or is too large.
    """
    picture = _open(data, name, _COLOUR_MODES)
    pixels = np.asarray(picture.convert("RGB"), dtype=np.float32)
    return torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1).contiguous()


def decode_mask(data: bytes, name: str) -> Tensor:
    """Decode an 8-bit mask to [1, S, S] in [0, 1].

    Raises:
        InputError: As for `decode_image`.
    """
    picture = _open(data, name, _COLOUR_MODES)
    return torch.from_numpy(np.asarray(picture.convert("L"), dtype=np.float32) / 255)[None]


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
        array = np.load(io.BytesIO(data), allow_pickle=False)
        return np.asarray(array, dtype=np.float32)
    except (ValueError, OSError, EOFError, TypeError) as error:
        raise InputError(f"{name}: not an NPY array of numbers ({error})") from error


def _read_depth_picture(data: bytes, name: str) -> np.ndarray:
    return np.asarray(_open(data, name, _DEPTH_MODES), dtype=np.float32) / DEPTH_SCALE


def _open(data: bytes, name: str, modes: tuple[str, ...]) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is ours
            picture = Image.open(io.BytesIO(data))
            width, height = picture.size
            if width * height > PIXEL_LIMIT:
                raise InputError(f"{name}: {width} x {height} pixels are too many")
            picture.load()
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise InputError(f"{name}: cannot be decoded as a picture ({error})") from error
    if picture.mode not in modes:
        raise InputError(f"{name}: pixel mode must be one of {', '.join(modes)}, got {picture.mode}")
    if width != height:
        raise InputError(f"{name}: must be square, got {width} x {height} pixels")
    return picture
