"""Head against background: classical mattings that need no download, and putting a head on another background.

A mask is float32 [H, W] in [0, 1], 1 = head (with hair, neck and shoulders).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toolkit.errors import InputError
from toolkit.faces.images import check_rgb

WHITE = (255, 255, 255)
KEY_TOLERANCE = 8
"""Largest difference of a channel (of 255) from the background's colour that still counts as background."""
UNIFORM_SHARE = 0.93
"""How much of the upper border must have one colour for a background to be called uniform."""


class UniformMatting:
    """The matting `white`: keys out a background of nearly one colour that touches the picture's border."""

    def matte(self, image: np.ndarray, landmarks: np.ndarray | None = None) -> np.ndarray:
        """Matte a uint8 RGB picture [H, W, 3]; landmarks are not needed.

        Raises:
            InputError: Not a uint8 RGB picture, or a background of many colours.
        """
        del landmarks
        colour = uniform_background(image)
        if colour is None:
            raise InputError("the background is not of one colour: use the matting 'grabcut' or give a mask")
        return key_out(image, colour)


def uniform_background(image: np.ndarray) -> np.ndarray | None:
    """The colour [3] (float) of a background that is nearly uniform, None where it is not.

    Judged by the top edge and the upper halves of the sides, where no shoulders are.
    """
    check_rgb(image)
    half = max(image.shape[0] // 2, 1)
    border = np.concatenate([image[0], image[:half, 0], image[:half, -1]]).astype(float)
    colour = np.median(border, axis=0)
    share = (np.abs(border - colour).max(axis=1) <= KEY_TOLERANCE).mean()
    return colour if share >= UNIFORM_SHARE else None


def key_out(image: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Mask [H, W] of what is not background of that colour; only what hangs together with the border is background.

    Pixels on the outline get a share: their distance from the background's colour against that of the head beside them.
    """
    from scipy import ndimage

    distance = np.abs(image.astype(np.float32) - colour).max(axis=2)
    labels, _ = ndimage.label(distance <= KEY_TOLERANCE)
    touching = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    background = np.isin(labels, touching[touching > 0])
    outline = ndimage.binary_dilation(background, np.ones((3, 3))) & ~background
    beside = ndimage.maximum_filter(np.where(background, 0, distance), size=5)
    share = np.clip(distance / np.maximum(beside, 1), 0, 1)
    return np.where(background, 0, np.where(outline, share, 1)).astype(np.float32)


def composite(image: np.ndarray, mask: np.ndarray, colour: Sequence[float] = WHITE) -> np.ndarray:
    """Put the head of uint8 [H, W, 3] on one colour (0..255).

    Soft outlines take their colour from inside the head, so that the old background does not shine through.

    Raises:
        InputError: Mask and image differ in size.
    """
    check_rgb(image)
    if mask.shape != image.shape[:2]:
        raise InputError(f"the mask is {list(mask.shape)}, the image {list(image.shape[:2])}: they must be of one size")
    share = mask[..., None].astype(np.float32)
    pixels = _inner_colours(image.astype(np.float32), mask)
    return (share * pixels + (1 - share) * np.asarray(colour, dtype=np.float32)).round().clip(0, 255).astype(np.uint8)


def replace_uniform(image: np.ndarray, mask: np.ndarray, old: np.ndarray, new: Sequence[float]) -> np.ndarray:
    """Change a uniform background's colour; exact, outlines included. Nothing changes where the colours agree."""
    change = np.asarray(new, dtype=np.float32) - old.astype(np.float32)
    if np.abs(change).max() <= KEY_TOLERANCE:
        return image
    return (image + (1 - mask[..., None]) * change).round().clip(0, 255).astype(np.uint8)


def _inner_colours(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    inside = (mask > 0.95).astype(np.float32)
    if not inside.any():
        return pixels
    sigma = max(2.0, 0.008 * max(mask.shape))
    weight = ndimage.gaussian_filter(inside, sigma)
    total = ndimage.gaussian_filter(pixels * inside[..., None], (sigma, sigma, 0))
    spread = total / np.maximum(weight, 1e-4)[..., None]
    known = ((mask <= 0.95) & (weight > 1e-3))[..., None]
    return np.where(known, spread, pixels)
