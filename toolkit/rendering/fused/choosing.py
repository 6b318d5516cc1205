"""Whether rays are marched along in fused kernels; loads no Triton."""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit.devices import chosen_arithmetic
from toolkit.rendering.rays import Rays

DEVICES = ("cuda",)
_LARGEST = 2**31
"""Numbers in one head's volumes that 32-bit places in a table reach."""


def fused_can_march(volumes: Tensor, rays: Rays) -> bool:
    """Whether `march_fused` was chosen (`fused-rendering`) and computes what is asked for.

    It does so on NVIDIA GPUs, in float32 without autocast, where rays need no gradient, and outside `torch.compile`.

    Args:
        volumes: [B, 3, C, D, H, W].
        rays: Origins and directions.
    """
    if "fused-rendering" not in chosen_arithmetic() or volumes.device.type not in DEVICES:
        return False
    exact = volumes.dtype == torch.float32 and not torch.is_autocast_enabled(volumes.device.type)
    moved = torch.is_grad_enabled() and any(each.requires_grad for each in rays)
    return exact and not moved and volumes[0].numel() < _LARGEST and not torch.compiler.is_compiling()
