"""Reading pictures from strangers: bounded, upright, RGB, and one sentence for each way in which a file can be bad.

Pixels are uint8 [H, W, 3] here; tensors are float32 [1, 3, H, W] in [-1, 1].
"""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from toolkit.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
FORMATS_IN_WORDS = "PNG, JPEG, WebP, BMP or TIFF"
MAX_PIXELS = 64_000_000
"""A picture whose header promises more is refused before anything is decoded."""

_DAMAGE = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow's decoders raise on damaged bytes."""
_TRANSPARENT_MODES = {"RGBA", "LA", "PA", "La", "RGBa"}
_DEEP_GREY_MODES = {"I", "I;16", "I;16B", "I;16L", "I;16N"}


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a picture as uint8 RGB [H, W, 3], turned upright, transparency put on white.

    Raises:
        InputError: Missing, a directory, unreadable, empty, not a picture of the known formats, truncated or damaged,
            or larger than `MAX_PIXELS`.
    """
    return _decode(_existing_file(path), grey=False)


def read_mask(path: str | os.PathLike[str], size: tuple[int, int] | None = None) -> np.ndarray:
    """Read a mask as float32 [H, W] in [0, 1], white = head; a transparent picture gives its own opacity.

    Args:
        path: A grey or colour picture, or one with an alpha channel.
        size: (height, width) that the mask must have; another size of the same shape is scaled.

    Raises:
        InputError: As `read_image`; or another aspect ratio than `size`, or nothing but background.
    """
    file = _existing_file(path)
    mask = _decode(file, grey=True).astype(np.float32) / 255
    if size is not None and mask.shape != size:
        height, width = size
        if abs(mask.shape[1] / mask.shape[0] - width / height) > 0.02:
            raise InputError(
                f"the mask {file} is {mask.shape[1]} x {mask.shape[0]} px, its photo {width} x {height} px: "
                "they must have the same shape"
            )
        mask = resize(mask, width, height).clip(0, 1)
    if mask.max() < 0.5:
        raise InputError(f"the mask {file} marks nothing: white (1) must mean head, black (0) background")
    return mask


def image_to_tensor(image: np.ndarray) -> Tensor:
    """Turn uint8 [H, W, 3] into float32 [1, 3, H, W] in [-1, 1].

    Raises:
        InputError: Not uint8 RGB.
    """
    import torch

    check_rgb(image)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 127.5 - 1


def tensor_to_image(tensor: Tensor) -> np.ndarray:
    """Turn [1, 3, H, W] or [3, H, W] in [-1, 1] into uint8 [H, W, 3], clipped and rounded.

    Raises:
        InputError: Another shape, or more than one image.
    """
    import torch

    if tensor.ndim == 4 and tensor.shape[0] == 1:
        tensor = tensor[0]
    if tensor.ndim != 3 or tensor.shape[0] != 3:
        raise InputError(f"one image of shape [1, 3, H, W] is needed, got {list(tensor.shape)}")
    pixels = ((tensor.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(1, 2, 0).cpu().numpy()


def resize(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize uint8 [H, W, 3] or float32 [H, W] with a filter as wide as the reduction asks for (no aliasing)."""
    if image.shape[:2] == (height, width):
        return image
    # Lanczos draws bright seams round dark hair at small sizes; Hamming is about as sharp and does not overshoot
    smaller = width * height < image.shape[0] * image.shape[1]
    kernel = Image.Resampling.HAMMING if smaller else Image.Resampling.BICUBIC
    if image.ndim == 2:
        kernel = Image.Resampling.BILINEAR
    return np.array(Image.fromarray(image).resize((width, height), kernel))


def check_rgb(image: np.ndarray) -> None:
    """Make sure of uint8 [H, W, 3].

    Raises:
        InputError: It is something else.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InputError(f"an image must be uint8 of shape [H, W, 3], got {image.dtype} {list(image.shape)}")


def _existing_file(path: str | os.PathLike[str]) -> Path:
    file = Path(path)
    if file.is_dir():
        raise InputError(f"{file} is a directory, an image file is needed")
    if not file.exists():
        raise InputError(f"there is no file {file}")
    if not file.is_file():
        raise InputError(f"{file} is not a regular file, an image file is needed")
    if file.stat().st_size == 0:
        raise InputError(f"{file} is empty")
    return file


def _decode(file: Path, *, grey: bool) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata and sizes: sizes are judged below
        try:
            with Image.open(file, formats=FORMATS) as picture:
                _check_size(file, picture.size)
                picture.load()
                return _upright_pixels(picture, grey=grey)
        except InputError:
            raise
        except Image.DecompressionBombError as error:
            raise InputError(f"{file} is too large: at most {MAX_PIXELS // 10**6} million pixels") from error
        except Image.UnidentifiedImageError as error:
            raise InputError(f"{file} is not a {FORMATS_IN_WORDS} picture, whatever its name says") from error
        except PermissionError as error:
            raise InputError(f"{file} may not be read: {error.strerror}") from error
        except _DAMAGE as error:
            raise InputError(f"{file} is damaged or cut short: {error}") from error


def _check_size(file: Path, size: tuple[int, int]) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise InputError(f"{file} has no pixels ({width} x {height})")
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{file} is too large: {width} x {height} pixels, at most {MAX_PIXELS // 10**6} million are taken"
        )


def _upright_pixels(picture: Image.Image, *, grey: bool) -> np.ndarray:
    try:
        upright = ImageOps.exif_transpose(picture)
    except _DAMAGE:
        upright = picture  # the pixels are good, only the camera's notes are not
    if upright.mode in _DEEP_GREY_MODES:
        upright = _eight_bit(upright)
    if upright.mode == "F":
        raise InputError("a floating point picture has no known range: save it with 8 or 16 bits per channel")
    if upright.mode in _TRANSPARENT_MODES or "transparency" in upright.info:
        upright = upright.convert("RGBA")
        opacity = np.array(upright.getchannel("A"))
        if grey and opacity.min() < 255:
            return opacity
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
    return np.array(upright.convert("L" if grey else "RGB"))


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Keep the high byte of 16-bit grey; Pillow's own conversion would clip at 255."""
    values = np.asarray(picture).astype(np.int64)
    return Image.fromarray((values.clip(0, 65535) >> 8).astype(np.uint8))
