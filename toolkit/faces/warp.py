"""Affine maps between pictures, and pictures taken through them."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from toolkit.faces.images import resize


def matrix_scale(matrix: np.ndarray) -> float:
    """Crop pixels per photo pixel."""
    return math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))


def inverse(matrix: np.ndarray) -> np.ndarray:
    """The inverse [2, 3] of an affine matrix [2, 3]."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points [..., 2] through an affine matrix [2, 3]."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def outside_photo(shape: tuple[int, int], matrix: np.ndarray, size: int) -> np.ndarray:
    """Which pixels bool [size, size] of a crop show nothing of a photo of shape (height, width)."""
    y, x = np.mgrid[:size, :size]
    places = transform(inverse(matrix), np.stack([x, y], axis=-1).astype(float))
    inside = (places >= -0.5) & (places <= np.array([shape[1], shape[0]]) - 0.5)
    return np.asarray(~inside.all(axis=-1))


def warp(image: np.ndarray, matrix: np.ndarray, size: int, antialias: bool = True) -> np.ndarray:
    """Cut [size, size] out of uint8 RGB [H, W, 3] or a float32 map [H, W]; reflected outside, free of aliasing.

    Args:
        image: What to cut from.
        matrix: [2, 3], photo pixels to crop pixels.
        size: Side of the crop.
        antialias: False samples bilinearly, whatever the scale.
    """
    scale = matrix_scale(matrix)
    if antialias and scale < 1:  # shrink first, with a filter as wide as that asks for; a turn and a shift are left
        height, width = image.shape[:2]
        new_width, new_height = max(round(width * scale), 1), max(round(height * scale), 1)
        image = resize(image, new_width, new_height)
        factors = np.array([new_width / width, new_height / height])
        back = inverse(matrix)
        matrix = inverse(np.column_stack([back[:, :2] * factors[:, None], (back[:, 2] + 0.5) * factors - 0.5]))
    back = inverse(matrix)
    corners = transform(back, np.array([[0, 0], [size - 1, 0], [0, size - 1], [size - 1, size - 1]], dtype=float))
    low, high = np.floor(corners.min(axis=0)).astype(int) - 4, np.ceil(corners.max(axis=0)).astype(int) + 5
    rows = _reflected(np.arange(low[1], high[1]), image.shape[0])
    columns = _reflected(np.arange(low[0], high[0]), image.shape[1])
    patch = Image.fromarray(np.ascontiguousarray(image[rows][:, columns]))
    # Pillow counts from pixel corners: its (0.5, 0.5) is our (0, 0)
    offset = back[:, 2] - low + 0.5 - back[:, :2].sum(axis=1) * 0.5
    data = (*back[0, :2], offset[0], *back[1, :2], offset[1])
    kernel = Image.Resampling.BICUBIC if antialias else Image.Resampling.BILINEAR
    crop = np.array(patch.transform((size, size), Image.Transform.AFFINE, data, kernel))
    return crop.clip(0, 1) if crop.dtype == np.float32 else crop


def _reflected(indices: np.ndarray, length: int) -> np.ndarray:
    folded = np.mod(indices, 2 * length)
    return np.where(folded < length, folded, 2 * length - 1 - folded)
