"""Two-dimensional feature maps read at points that were projected onto them, and the adjoint of that reading.

Coordinates are (along W, along H) in [-1, 1], where -1 and 1 are the outer borders of texels; outside, maps fade to
zero over half a texel.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def sample_maps(maps: Tensor, coordinates: Tensor) -> Tensor:
    """Read K maps bilinearly.

    Args:
        maps: [B, K, C, H, W].
        coordinates: [B, K, M, 2].

    Returns:
        [B, K, C, M].
    """
    batch, count, channels = maps.shape[:3]
    read = F.grid_sample(
        maps.flatten(0, 1),
        coordinates.reshape(batch * count, 1, -1, 2),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    )
    return read.reshape(batch, count, channels, -1)


def splat_maps(coordinates: Tensor, size: tuple[int, int], weights: Tensor) -> Tensor:
    """Accumulate where and how strongly maps are read: the adjoint of `sample_maps` with one channel.

    Args:
        coordinates: [B, K, M, 2].
        size: (H, W) of a map.
        weights: [B, K, M], weight of each reading.

    Returns:
        [B, K, H, W], sums of interpolation weights; without gradient.
    """
    with torch.inference_mode(False), torch.enable_grad():  # works for callers in inference mode, too
        places = coordinates.detach().clone()
        maps = places.new_zeros(*places.shape[:2], 1, *size).requires_grad_()
        read = sample_maps(maps, places)
        cotangent = weights.detach()[:, :, None].to(read.dtype, copy=True).contiguous()
        (gradient,) = torch.autograd.grad(read, maps, cotangent)
    return gradient[:, :, 0]
