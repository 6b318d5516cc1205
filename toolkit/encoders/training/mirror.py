"""TriPlaneNet v2's mirror loss: the view from the mirrored camera against the mirrored photo, where that is trusted."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from toolkit.errors import InputError
from toolkit.losses.reconstruction import check_same_shape

PixelError = Literal["square", "smooth_l1"]


def pixel_errors(image: Tensor, target: Tensor, kind: PixelError) -> Tensor:
    """Errors [B, H, W] per pixel, means over channels.

    Args:
        image: [B, C, H, W] in [-1, 1].
        target: Same shape as `image`.
        kind: Squares, or smooth L1 (squares halved below 1, absolute values less 1/2 above).

    Raises:
        InputError: The shapes differ, or the kind is unknown.
    """
    check_same_shape(image, target)
    if kind == "square":
        return F.mse_loss(image, target, reduction="none").mean(dim=1)
    if kind == "smooth_l1":
        return F.smooth_l1_loss(image, target, reduction="none").mean(dim=1)
    raise InputError(f"a pixel error must be 'square' or 'smooth_l1', got {kind!r}")


def mirror_loss(
    image: Tensor,
    target: Tensor,
    asymmetry: Tensor,
    kind: PixelError = "smooth_l1",
    *,
    normalise: bool = False,
) -> Tensor:
    """Weigh pixel errors by how symmetric the face is there.

    Args:
        image: Render from the mirrored camera, [B, 3, H, W] in [-1, 1].
        target: The photo flipped left-right, same shape.
        asymmetry: [B, H, W] >= 0 over the *flipped* photo: large where the face is asymmetric. An error counts
            1 / (1 + asymmetry).
        kind: See `pixel_errors`.
        normalise: Divide each image's loss by its mean weight.

    Returns:
        A scalar >= 0.

    Raises:
        InputError: The shapes do not fit.
    """
    errors = pixel_errors(image, target, kind)
    if asymmetry.shape != errors.shape:
        raise InputError(f"asymmetry must have shape {list(errors.shape)}, got {list(asymmetry.shape)}")
    weights = 1 / (asymmetry + 1)
    losses = (errors * weights).mean(dim=(1, 2))
    if normalise:
        losses = losses / weights.mean(dim=(1, 2))
    return losses.mean()
