"""The dual encoder (NeurIPS 2024): joining two encoders' heads, and the discriminator that trains the second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register

_HERE = "toolkit_plugins.dual_encoder"


@hookimpl
def register_methods(register: Register) -> None:
    """Offer the dual encoder, and its two encoders alone."""
    register(
        "dual-encoder",
        f"{_HERE}.methods:open_dual_encoder",
        summary="one encoder for what the picture shows, one for what it hides, stitched",
        interface=1,
        headline=True,
    )
    for name, attribute, half in (("encoder1", "open_encoder1", "visible"), ("encoder2", "open_encoder2", "occluded")):
        register(
            name,
            f"{_HERE}.methods:{attribute}",
            summary=f"the dual encoder's {half} half alone",
            interface=1,
        )


@hookimpl
def register_encoders(register: Register) -> None:
    """Offer the dual encoder and its two encoders, each as one object."""
    for name, attribute, summary in (
        ("dual-encoder", "open_dual", "both encoders, stitched"),
        ("encoder1", "open_first", "of what the picture shows"),
        ("encoder2", "open_second", "of what it hides"),
    ):
        register(name, f"{_HERE}.methods:{attribute}", summary=summary, interface=1)


@hookimpl
def register_trainables(register: Register) -> None:
    """Offer the training of all three networks, and of one encoder alone."""
    for name, attribute, summary in (
        ("dual-encoder", "make_dual_job", "encoder 1, then encoder 2 with its discriminator"),
        ("encoder1", "make_encoder1_job", "the encoder of what the picture shows"),
        ("encoder2", "make_encoder2_job", "the encoder of what it hides, with its discriminator"),
    ):
        register(name, f"{_HERE}.training.job:{attribute}", summary=summary, interface=1)


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


@hookimpl
def register_method_files(register: Register) -> None:
    """Offer the reader of its official checkpoint."""
    here = "toolkit_plugins.dual_encoder.official:DualEncoderFile"
    register("dual-encoder", here, summary="official checkpoint of dual-encoder", interface=1)
