"""How the volumes of a tri-grid lie in memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def as_volumes(planes: Tensor, depth: int) -> Tensor:
    """View planes [B, 3, C depth, H, W] (depth fastest) as volumes [B, 3, C, depth, H, W]."""
    batch, count, channels, height, width = planes.shape
    return planes.reshape(batch, count, channels // depth, depth, height, width)


def channels_fastest(volumes: Tensor) -> Tensor:
    """The same volumes; on a CPU, the channels of one texel are neighbours in memory then: quicker to read."""
    return _ChannelsFastest.apply(volumes) if volumes.device.type == "cpu" else volumes


class _ChannelsFastest(torch.autograd.Function):
    """Its gradient gets the layout that the input had, in one copy; else every step further back makes another one."""

    @staticmethod
    def forward(ctx: Any, volumes: Tensor) -> Tensor:
        ctx.strides = torch.empty_like(volumes, device="meta").stride()
        flat = volumes.flatten(0, 1).contiguous(memory_format=torch.channels_last_3d)
        return flat.unflatten(0, volumes.shape[:2])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        if torch.is_grad_enabled() or gradient.stride() == ctx.strides:
            return gradient
        return torch.empty_strided(gradient.shape, ctx.strides, dtype=gradient.dtype, device=gradient.device).copy_(
            gradient
        )
