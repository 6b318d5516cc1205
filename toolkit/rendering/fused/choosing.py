"""Whether rays are marched along in fused kernels; loads no Triton."""

from __future__ import annotations

from torch import Tensor

from toolkit.devices import chosen_arithmetic
from toolkit.rendering.rays import Rays
from toolkit.rendering.trigrid_field import kernels_can_march

DEVICES = ("cuda",)
_LARGEST = 2**31
"""Numbers in one head's volumes that 32-bit places in a table reach."""


def fused_can_march(volumes: Tensor, rays: Rays) -> bool:
    """Whether `march_fused` was chosen (`fused-rendering`) and computes what is asked for.

    It does so on NVIDIA GPUs, where `kernels_can_march`.

    Args:
        volumes: [B, 3, C, D, H, W].
        rays: Origins and directions.
    """
    if "fused-rendering" not in chosen_arithmetic() or volumes.device.type not in DEVICES:
        return False
    return volumes[0].numel() < _LARGEST and kernels_can_march(volumes, rays)
