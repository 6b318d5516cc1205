"""The head of one photo, cut out as the user asked: whose mask, what background, at the generator's size."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolkit.errors import InputError, PluginError
from toolkit.faces.alignment import AlignedFace
from toolkit.faces.background import composite, replace_uniform, uniform_background
from toolkit.faces.grabcut import WORKING_SIDE
from toolkit.faces.images import read_mask, resize
from toolkit.faces.warp import inverse, matrix_scale, outside_photo, transform, warp
from toolkit.registry import default_registry

if TYPE_CHECKING:
    from toolkit.interfaces.faces import Matting

CONTEXT = 1.6
"""Side of the window that is matted, in crop sides: enough background to learn its colours."""
AUTO, AUTO_UNIFORM = "grabcut", "white"
"""The registered mattings that 'auto' takes: of any background, and of a uniform one."""
LITTLE_HEAD = 0.05
"""Share of the crop below which a mask is doubtful."""


@dataclass(frozen=True)
class BackgroundOptions:
    """What is to become of the background."""

    background: str
    """'auto', 'keep' or 'remove'."""
    matting: str
    """'auto' or the name of a registered matting."""
    colour: tuple[float, float, float]
    """What a removed background is replaced by, 0..255."""


def cut_as_it_is(
    image: np.ndarray, mask: np.ndarray | None, size: int, options: BackgroundOptions, notes: list[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Take a picture that is cropped already; its background goes only where that is asked for ('remove').

    Args:
        image: uint8 [H, W, 3]; of another shape than a square the middle is taken.
        mask: Known mask [H, W] in [0, 1].
        size: Side of the result.
        options: What is to become of the background.
        notes: Remarks for the user are added here.

    Returns:
        Pixels uint8 [S, S, 3] and mask float32 [S, S]; None where the background is neither known nor uniform.
    """
    square = centre_square(image)
    if square.shape != image.shape:
        notes.append(f"the photo is not square: its middle {square.shape[1]} x {square.shape[0]} px were taken")
    pixels = resize(square, size, size)
    opacity = None if mask is None else resize(centre_square(mask), size, size)
    old = uniform_background(pixels) if opacity is None and options.matting == "auto" else None
    if old is not None:
        opacity = _matte(options.matting, True, pixels, None)
    if options.background != "remove":
        return pixels, opacity
    if opacity is None:
        opacity = _matte(options.matting, False, pixels, None)
    return _on_colour(pixels, opacity, old, options, notes), opacity


def cut_aligned(
    image: np.ndarray,
    landmarks: np.ndarray,
    aligned: AlignedFace,
    mask: np.ndarray | None,
    options: BackgroundOptions,
    notes: list[str],
) -> tuple[np.ndarray, np.ndarray]:
    """Matte an aligned crop and remove its background, unless it is to be kept.

    Args:
        image: The photo, uint8 [H, W, 3].
        landmarks: [5, 2] photo pixels.
        aligned: Its crop of side S.
        mask: Known mask of the photo, [H, W] in [0, 1]; wins over every matting.
        options: What is to become of the background.
        notes: Remarks for the user are added here.

    Returns:
        Pixels uint8 [S, S, 3] and mask float32 [S, S]; nothing outside the photo counts as head.
    """
    size, old = aligned.image.shape[0], None
    if mask is not None:
        opacity = warp(mask, aligned.matrix, size)
    else:
        window, points, matrix = _context(image, landmarks, aligned)
        old = uniform_background(window) if options.matting == "auto" else None
        found = _matte(options.matting, old is not None, window, points)
        opacity = warp(found.astype(np.float32), matrix, size)
        opacity[outside_photo(window.shape[:2], matrix, size)] = 0
    opacity[aligned.outside] = 0
    if options.background == "keep":
        return aligned.image, opacity
    pixels = aligned.image
    if old is not None and aligned.outside.any():
        pixels = pixels.copy()
        pixels[aligned.outside] = old.round()
    return _on_colour(pixels, opacity, old, options, notes), opacity


def user_mask(mask: np.ndarray | str | os.PathLike[str], shape: tuple[int, ...]) -> np.ndarray:
    """A mask or its file as float32 [H, W] in [0, 1] for a photo of that shape.

    Raises:
        InputError: It does not fit the photo, holds NaN, or cannot be read.
    """
    if not isinstance(mask, np.ndarray):
        return read_mask(mask, (shape[0], shape[1]))
    if mask.shape != shape[:2] or not np.isfinite(mask).all():
        raise InputError(f"the mask must be finite and of the photo's shape {list(shape[:2])}, got {list(mask.shape)}")
    return mask.astype(np.float32).clip(0, 1)


def _matte(name: str, uniform: bool, image: np.ndarray, landmarks: np.ndarray | None) -> np.ndarray:
    """The mask of the matting registered under a name; 'auto' takes the one for uniform backgrounds there.

    Raises:
        PluginError: No such matting, its plugin fails, or what it makes is no mask of the picture.
    """
    chosen = (AUTO_UNIFORM if uniform else AUTO) if name == "auto" else name
    entry = default_registry().get("matting", chosen)
    matting: Matting = entry.build()
    if not entry.is_strangers:
        return matting.matte(image, landmarks)
    with entry.running():
        found = np.array(matting.matte(image.copy(), None if landmarks is None else landmarks.copy()), dtype=np.float32)
    if found.shape != image.shape[:2] or not np.isfinite(found).all() or found.min() < 0 or found.max() > 1:
        raise PluginError(f"{entry.whose} made no mask [{image.shape[0]}, {image.shape[1]}] of values from 0 to 1")
    return found


def _on_colour(
    pixels: np.ndarray, opacity: np.ndarray, old: np.ndarray | None, options: BackgroundOptions, notes: list[str]
) -> np.ndarray:
    if opacity.mean() < LITTLE_HEAD:
        notes.append(f"the mask covers only {opacity.mean():.0%} of the crop; check it or give one (--mask)")
    if old is not None:
        return replace_uniform(pixels, opacity, old, options.colour)
    return composite(pixels, opacity, options.colour)


def _context(
    image: np.ndarray, landmarks: np.ndarray, aligned: AlignedFace
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A window of the photo round the crop, the landmarks in it, and the matrix from it to the crop.

    It is shrunk where the photo is much finer than the crop.
    """
    size = aligned.image.shape[0]
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) - 0.5
    middle = (size - 1) / 2
    places = transform(inverse(aligned.matrix), middle + CONTEXT * (corners - middle))
    limits = np.array([image.shape[1], image.shape[0]])
    low = np.floor(places.min(axis=0)).astype(int).clip(0, limits - 1)
    high = np.ceil(places.max(axis=0)).astype(int).clip(low + 1, limits)
    window = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
    wanted = min(1.0, max(2 * matrix_scale(aligned.matrix), WORKING_SIDE / max(window.shape[:2])))
    width, height = (max(round(side * wanted), 8) for side in (window.shape[1], window.shape[0]))
    factors = np.array([width / window.shape[1], height / window.shape[0]])
    points = (landmarks - low + 0.5) * factors - 0.5
    # window pixel w shows photo pixel (w + 0.5) / factors - 0.5 + low
    shift = transform(aligned.matrix, low - 0.5 + 0.5 / factors)
    matrix = np.column_stack([aligned.matrix[:, :2] / factors, shift])
    return resize(window, width, height), points, matrix


def centre_square(image: np.ndarray) -> np.ndarray:
    """The middle square of an image [H, W, ...]."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(image[top : top + side, left : left + side])
