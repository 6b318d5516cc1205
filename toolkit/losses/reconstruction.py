"""Pixel losses: mean over images of the mean over pixels and channels, on images in [-1, 1]."""

from __future__ import annotations

from torch import Tensor

from toolkit.errors import InputError


def l2(image: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared difference: the L2 of the literature's tables, in [-1, 1].

    Args:
        image: [B, 3, H, W] in [-1, 1].
        target: Same shape as `image`.
        mask: [B or 1, 1, H, W] weights >= 0; None weighs every pixel alike.

    Returns:
        A scalar >= 0 (4 at most for images in range).

    Raises:
        InputError: The shapes do not fit.
    """
    check_same_shape(image, target)
    return weighted_mean((image - target).square(), mask)


def weighted_mean(values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean over images of each image's weighted mean; an image whose weights are all zero counts as 0.

    Args:
        values: [B, C, H, W].
        mask: [B or 1, 1, H, W] weights >= 0, or None for the plain mean.

    Returns:
        A scalar.

    Raises:
        InputError: The mask's shape does not fit.
    """
    if mask is None:
        return values.mean()
    if mask.ndim != 4 or mask.shape[0] not in (1, values.shape[0]) or mask.shape[1] != 1:
        raise InputError(f"a mask must have shape [B or 1, 1, H, W] for {list(values.shape)}, got {list(mask.shape)}")
    if mask.shape[2:] != values.shape[2:]:
        raise InputError(f"the mask is {list(mask.shape[2:])} pixels, the image {list(values.shape[2:])}")
    weights = mask.to(values).expand(values.shape[0], -1, -1, -1)
    total = weights.flatten(1).sum(1) * values.shape[1]
    sums = (values * weights).flatten(1).sum(1)
    return (sums / total.clamp_min(1e-6)).mean()


def check_same_shape(image: Tensor, target: Tensor) -> None:
    """Refuse to compare images of different shapes, which broadcasting would do silently.

    Raises:
        InputError: The shapes differ or are not [B, C, H, W].
    """
    if image.ndim != 4 or image.shape != target.shape:
        raise InputError(
            f"images to compare must have one shape [B, C, H, W], got {list(image.shape)} and {list(target.shape)}"
        )
