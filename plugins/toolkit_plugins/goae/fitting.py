"""The sizes that GOAE's networks must have for a generator."""

from __future__ import annotations

import torch

from toolkit.errors import CapabilityError, ConfigError
from toolkit.interfaces import Generator, ResumableSynthesis
from toolkit_plugins.goae.alignment import AlignmentSettings
from toolkit_plugins.goae.encoder import EncoderSettings
from toolkit_plugins.goae.swin_v2 import SwinSettings

FEATURE_SIZE = 32
"""Side of the features that the published alignment changes, in a backbone of 256."""
SMALL_SWIN = SwinSettings(
    image_size=128, width=32, depths=(2, 2, 6, 2), heads=(2, 4, 8, 16), window=8, pretrained_windows=(8, 8, 8, 4)
)
"""A trunk for generators of 128 px that trains without a pre-trained start."""
_HEADS = (4, 2, 1)


def fit_encoder(generator: Generator, swin: SwinSettings | None = None) -> EncoderSettings:
    """Settings of an encoder for a generator's codes.

    Args:
        generator: Decides the number of latents and their length.
        swin: The trunk; None: the published one where images have at least 256 px, else the small one.
    """
    spec = generator.spec
    if swin is None:
        swin = SwinSettings() if spec.image_size >= SwinSettings.image_size else SMALL_SWIN
    latents = spec.latents
    return EncoderSettings(swin, latents.num_ws, latents.w_dim, _dividing_heads(latents.w_dim))


def fit_alignment(generator: Generator, size: int = FEATURE_SIZE, width: int = 64) -> AlignmentSettings:
    """Settings of an alignment of a generator's features of side `size`.

    Args:
        generator: Decides the channels.
        size: Side of the features.
        width: Channels of the alignment's own stem (64 as published).

    Raises:
        CapabilityError: The generator's synthesis cannot be stopped and resumed.
        InputError: The backbone has no features of this side.
        ConfigError: These features are its last, so that changing them changes no planes.
    """
    if not isinstance(generator, ResumableSynthesis):
        raise CapabilityError(
            f"feature alignment needs a generator whose synthesis can be resumed; {generator.spec.name!r}'s cannot"
        )
    latents = generator.spec.latents
    with torch.no_grad():
        ws = torch.zeros(1, latents.num_ws, latents.w_dim, device=generator.device)
        features, skip = generator.features(ws, size)
    with torch.enable_grad():
        features.requires_grad_(True)
        planes = generator.resume(features, skip, ws, size)
        reached = planes.requires_grad and torch.autograd.grad(planes.sum(), features, allow_unused=True)[0] is not None
    if not reached:
        raise ConfigError(
            f"feature_size={size}: the features of side {size} are the last of {generator.spec.name!r}, and changing "
            f"them changes no planes; take a smaller side, such as {size // 2}"
        )
    channels = features.shape[1]
    return AlignmentSettings(channels, width, _dividing_heads(channels))


def _dividing_heads(width: int) -> int:
    return next(heads for heads in _HEADS if width % heads == 0)
