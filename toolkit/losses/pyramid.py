"""A perceptual stand-in without weights: differences of Laplacian bands and of edges, at every scale.

A pixel loss alone prefers a blur to a slightly misplaced edge. Taking the images apart into octaves and comparing the
octaves' absolute values evens out how much coarse shape and fine detail count, and the edge part punishes blur.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SMALLEST_SIDE = 8
"""The pyramid stops at this side in pixels; what remains is compared as it is."""
EDGE_WEIGHT = 0.5


def pyramid_features(image: Tensor) -> tuple[Tensor, ...]:
    """Take an image apart so that the summed mean absolute differences are the pyramid loss.

    Args:
        image: [B, C, H, W].

    Returns:
        Per octave the Laplacian band [B, C, h, w] and the weighted differences to the right and lower neighbours
        ([B, C, h, w-1] and [B, C, h-1, w]); last the remaining small image.
    """
    parts: list[Tensor] = []
    level = image
    while min(level.shape[2:]) >= 2 * SMALLEST_SIDE:
        smaller = functional.avg_pool2d(level, 2)
        larger = functional.interpolate(smaller, size=level.shape[2:], mode="bilinear", align_corners=False)
        parts += [level - larger, EDGE_WEIGHT * level.diff(dim=3), EDGE_WEIGHT * level.diff(dim=2)]
        level = smaller
    parts.append(level)
    return tuple(parts)


def feature_difference(first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> Tensor:
    """Sum over parts of the mean absolute difference; a scalar >= 0."""
    return torch.stack([(a - b).abs().mean() for a, b in zip(first, second, strict=True)]).sum()
