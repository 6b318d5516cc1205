"""GOAE's two networks in one of our files."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from toolkit.encoders import EncoderFile
from toolkit_plugins.goae.alignment import AlignmentSettings, FeatureAlignment
from toolkit_plugins.goae.encoder import EncoderSettings, GoaeEncoder
from toolkit_plugins.goae.reconstruction import GoaeReconstruction
from toolkit_plugins.goae.swin_v2 import SwinSettings

KIND, ENCODER, ALIGNMENT = "goae", "goae_encoder", "goae_afa"
_MIX = ("feature_size", "mixing", "resolution", "view_resolution")


def goae_sizes(network: GoaeReconstruction) -> dict[str, Any]:
    """What rebuilds the networks and the mix, as JSON values."""
    return {
        ENCODER: dataclasses.asdict(network.encoder.settings),
        ALIGNMENT: dataclasses.asdict(network.alignment.settings),
        "mix": {name: getattr(network, name) for name in _MIX},
    }


def build_goae(file: EncoderFile, device: torch.device | str = "cpu") -> GoaeReconstruction:
    """Both networks of a file: eval mode, gradients off.

    Raises:
        WeightsError: They do not fit.
    """
    sizes = dict(file.config[ENCODER])
    swin: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in sizes.pop("swin").items()
    }
    encoder = GoaeEncoder(EncoderSettings(SwinSettings(**swin), **sizes))
    alignment = FeatureAlignment(AlignmentSettings(**file.config[ALIGNMENT]))
    file.load_into(encoder, ENCODER)
    file.load_into(alignment, ALIGNMENT)
    network = GoaeReconstruction(encoder, alignment, file.centre[None], **file.config["mix"])
    return network.eval().requires_grad_(False).to(device)
