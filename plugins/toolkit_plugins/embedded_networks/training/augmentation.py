"""The augmentation of pictures in training; one `torch.Generator` draws all random numbers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_SHIFT = 3
"""Pixels."""


def worn_faces(images: Tensor, source: torch.Generator) -> Tensor:
    """Faces [B, 3, S, S] in [-1, 1] moved a little, brighter or darker, noisy, sometimes coarse or partly covered."""
    count, side = len(images), images.shape[-1]
    padded = F.pad(images, (_SHIFT,) * 4, mode="replicate")
    tops, lefts = torch.randint(2 * _SHIFT + 1, (2, count), generator=source).tolist()
    images = torch.stack([padded[i, :, tops[i] : tops[i] + side, lefts[i] : lefts[i] + side] for i in range(count)])
    coarse = F.interpolate(F.avg_pool2d(images, 2), size=(side, side), mode="bilinear", align_corners=False)
    images = torch.lerp(images, coarse, torch.rand(count, 1, 1, 1, generator=source))
    gain = 1 + 0.05 * torch.randn(count, 3, 1, 1, generator=source)
    lift = 0.08 * torch.randn(count, 1, 1, 1, generator=source)
    images = (images + 1) * gain - 1 + lift + 0.03 * torch.randn(images.shape, generator=source)
    return _covered(images, source).clamp(-1, 1)


def _covered(images: Tensor, source: torch.Generator) -> Tensor:
    """A third of the pictures loses a rectangle to one grey."""
    count, _, height, width = images.shape
    sizes = (torch.rand(count, 2, generator=source) * 0.3 + 0.1) * torch.tensor([height, width])
    corners = torch.rand(count, 2, generator=source) * (torch.tensor([height, width]) - sizes)
    rows, columns = torch.arange(height)[None, :, None], torch.arange(width)[None, None, :]
    top, left, tall, wide = (part[:, None, None] for part in (*corners.T, *sizes.T))
    inside = (rows >= top) & (rows < top + tall) & (columns >= left) & (columns < left + wide)
    inside &= torch.rand(count, 1, 1, generator=source) < 1 / 3
    grey = torch.rand(count, 1, 1, 1, generator=source) * 2 - 1
    return torch.where(inside[:, None], grey, images)
