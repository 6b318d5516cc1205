"""How GOAE's two networks lie in one of our files."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from toolkit.encoders.files import EncoderFile, built_from_file
from toolkit_plugins.goae.alignment import AlignmentSettings, FeatureAlignment
from toolkit_plugins.goae.encoder import EncoderSettings, GoaeEncoder
from toolkit_plugins.goae.reconstruction import ALIGNMENT, ENCODER, MIX, GoaeReconstruction, Mixing

KIND = "goae"
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class MixSettings:
    """How planes are mixed."""

    feature_size: Count
    mixing: Mixing
    resolution: Count
    view_resolution: Count | None = None


@built_from_file
def build_goae(file: EncoderFile) -> GoaeReconstruction:
    """Both networks of a file, put together.

    Raises:
        WeightsError: They do not fit.
    """
    encoder = GoaeEncoder(file.settings(EncoderSettings, ENCODER))
    alignment = FeatureAlignment(file.settings(AlignmentSettings, ALIGNMENT))
    file.load_into(encoder, ENCODER)
    file.load_into(alignment, ALIGNMENT)
    mix = file.settings(MixSettings, MIX)
    return GoaeReconstruction(encoder, alignment, file.average_latent, **dataclasses.asdict(mix))
