"""Changing pictures and whole items: size, mirroring, background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import torch.nn.functional as F
from torch import Tensor

from toolkit.errors import InputError
from toolkit.interfaces import Item

MIRROR_MARK = "_mirror"
"""What EG3D's data sets add to a mirrored picture's name."""


def resize(image: Tensor, size: int) -> Tensor:
    """Resize [..., C, H, W] to [..., C, size, size], bilinear and antialiased.

    Raises:
        InputError: `size` is not positive.
    """
    if size < 1:
        raise InputError(f"size must be at least 1, got {size}")
    if image.shape[-2:] == (size, size):
        return image
    flat = image.reshape(-1, *image.shape[-3:])
    resized = F.interpolate(flat, size=(size, size), mode="bilinear", align_corners=False, antialias=True)
    return resized.reshape(*image.shape[:-2], size, size)


def resize_depth(depth: Tensor, size: int) -> Tensor:
    """Resize depth [..., 1, H, W], averaging where there is one; a pixel with less than half has none (0)."""
    if depth.shape[-2:] == (size, size):
        return depth
    valid = (depth > 0).to(depth)
    share = resize(valid, size)
    return (resize(depth, size) / share.clamp(min=1e-6)) * (share >= 0.5)


def resize_item(item: Item, size: int) -> Item:
    """Resize an item's image, mask and depth; the camera is independent of size."""
    return replace(
        item,
        image=resize(item.image, size),
        mask=None if item.mask is None else resize(item.mask, size),
        depth=None if item.depth is None else resize_depth(item.depth, size),
    )


def mirror_item(item: Item) -> Item:
    """Flip image, mask, depth and camera left-right together; twice gives the item back.

    The name gains or loses `_mirror`, and a view called left is called right.
    """
    return replace(
        item,
        id=mirror_name(item.id),
        image=item.image.flip(-1),
        camera=item.camera.mirror(),
        view=None if item.view is None else _mirror_view(item.view),
        mask=None if item.mask is None else item.mask.flip(-1),
        depth=None if item.depth is None else item.depth.flip(-1),
    )


def mirror_name(name: str) -> str:
    """The name of the mirrored picture: `a/b.png` and `a/b_mirror.png` are each other's."""
    pure = PurePosixPath(name)
    stem = pure.stem.removesuffix(MIRROR_MARK) if pure.stem.endswith(MIRROR_MARK) else pure.stem + MIRROR_MARK
    return str(pure.with_name(stem + pure.suffix))


def composite(image: Tensor, mask: Tensor, colour: Sequence[float] | Tensor) -> Tensor:
    """Put an image on a background of one colour.

    Args:
        image: [..., 3, H, W] in [-1, 1].
        mask: [..., 1, H, W] in [0, 1], 1 = keep the image.
        colour: Three numbers in [-1, 1].

    Raises:
        InputError: Mask and image differ in size, or the colour has not three numbers.
    """
    if image.shape[-2:] != mask.shape[-2:]:
        raise InputError(f"mask is {list(mask.shape[-2:])} pixels, the image {list(image.shape[-2:])}")
    if len(colour) != 3:
        raise InputError(f"colour must be three numbers, got {len(colour)}")
    background = image.new_tensor([float(value) for value in colour]).reshape(3, 1, 1)
    return image * mask + background * (1 - mask)


def _mirror_view(view: str) -> str:
    swapped = {"left": "right", "right": "left"}
    return "_".join(swapped.get(word, word) for word in view.split("_"))
