"""A tri-grid and its decoder as plain tensors: what a kernel needs that reads, decodes and blends by itself."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from toolkit.nn.decoder import DecoderWeights
from toolkit.rendering.rays import Rays


@dataclass(frozen=True)
class TrigridField:
    """A field whose points are read from three volumes (see `toolkit.nn.trigrid`) and decoded by two layers."""

    volumes: Tensor
    """[1 or B, 3, C, D, H, W]; a single one serves all views."""
    scale: float
    """Factor from world units to the cube [-1, 1]^3."""
    decoder: DecoderWeights
    """From C features at a point to a raw density and F features."""
    crop: float | None = None
    """Largest |x| and |z| (world units) that the renderer sees; None: no limit."""


def kernels_can_march(volumes: Tensor, rays: Rays) -> bool:
    """Whether kernels of our own compute what is asked for: in float32 without autocast, with no gradient of rays.

    Not while `torch.compile` traces, which sees nothing of them.

    Args:
        volumes: [B, 3, C, D, H, W].
        rays: Origins and directions.
    """
    exact = volumes.dtype == torch.float32 and not torch.is_autocast_enabled(volumes.device.type)
    moved = torch.is_grad_enabled() and any(each.requires_grad for each in rays)
    return exact and not moved and not torch.compiler.is_compiling()
