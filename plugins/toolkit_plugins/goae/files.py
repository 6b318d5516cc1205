"""How GOAE's two networks lie in one of our files."""

from __future__ import annotations

from typing import Any

from toolkit.encoders import EncoderFile
from toolkit_plugins.goae.alignment import AlignmentSettings, FeatureAlignment
from toolkit_plugins.goae.encoder import EncoderSettings, GoaeEncoder
from toolkit_plugins.goae.reconstruction import ALIGNMENT, ENCODER, MIX, GoaeReconstruction
from toolkit_plugins.goae.swin_v2 import SwinSettings

KIND = "goae"


def build_goae(file: EncoderFile) -> GoaeReconstruction:
    """Both networks of a file, put together.

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
    return GoaeReconstruction(encoder, alignment, file.average_latent, **file.config[MIX])
