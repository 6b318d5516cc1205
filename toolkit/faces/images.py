"""Photos and masks as arrays: read by the rules of `toolkit.pictures`, resized, turned into tensors and back.

Pixels are uint8 [H, W, 3] here; tensors are float32 [1, 3, H, W] in [-1, 1].
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from toolkit.errors import InputError
from toolkit.pictures import grey_pixels, open_picture, rgb_pixels

if TYPE_CHECKING:
    from torch import Tensor


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a picture as uint8 sRGB [H, W, 3], turned upright, transparency put on white.

    Raises:
        InputError: Missing, a directory, unreadable, empty, not a picture of the known formats, truncated or damaged,
            or too large.
    """
    file = _existing_file(path)
    return rgb_pixels(_opened(file))


def read_mask(path: str | os.PathLike[str], size: tuple[int, int] | None = None) -> np.ndarray:
    """Read a mask as float32 [H, W] in [0, 1], white = head; a transparent picture gives its own opacity.

    Args:
        path: A grey or colour picture, or one with an alpha channel.
        size: (height, width) that the mask must have; another size of the same shape is scaled.

    Raises:
        InputError: As `read_image`; or another aspect ratio than `size`, or nothing but background.
    """
    file = _existing_file(path)
    mask = grey_pixels(_opened(file)).astype(np.float32) / 255
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


def _opened(file: Path) -> Image.Image:
    try:
        return open_picture(file, str(file))
    except PermissionError as error:
        raise InputError(f"{file} may not be read: {error.strerror}") from error
