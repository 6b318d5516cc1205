"""The dual encoder (NeurIPS 2024): joining two encoders' heads, and the discriminator that trains the second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register

_HERE = "toolkit_plugins.dual_encoder"


@hookimpl
def register_stitchers(register: Register) -> None:
    """Offer the paper's stitching and two with soft seams."""
    register("hard", f"{_HERE}.stitching:HardStitcher", summary="the mask as it is, as in the paper", interface=1)
    register(
        "feathered",
        f"{_HERE}.stitching:FeatheredStitcher",
        summary="seams that are soft on the occluded side only",
        interface=1,
    )
    register("blurred", f"{_HERE}.stitching:BlurredStitcher", summary="seams that are soft on both sides", interface=1)


@hookimpl
def register_discriminators(register: Register) -> None:
    """Offer the occlusion-aware discriminator and its image-domain ablation."""
    register(
        "occlusion-planes",
        f"{_HERE}.discriminator:open_plane_discriminator",
        summary="judges the occluded part of planes (the paper's Table 6)",
        interface=1,
    )
    register(
        "occlusion-images",
        f"{_HERE}.discriminator:open_image_discriminator",
        summary="judges rendered images (the paper's ablation)",
        interface=1,
    )
