"""Settings of the networks that `toolkit train panohead-mini` trains."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from toolkit.configuration import Config

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]


class NetworkSettings(Config):
    """Sizes of the miniature."""

    w_dim: Count = 128
    mapping_layers: Count = 3
    mapping_hidden: Count | None = None
    """Width between the mapping's layers; None: `w_dim`."""
    mapping_last: Literal["lrelu", "linear"] | None = None
    """Activation of its last layer; codes of traits are as often negative as positive: linear."""
    channel_base: Count = 2048
    channel_max: Count = 96
    plane_size: Literal[32, 64, 128, 256] = 64
    features: Count = 12
    decoder_hidden: Count = 48
    density_scale: Rate = 60.0
    sr_widths: tuple[int, int] = (32, 16)
    image_size: Literal[64, 128, 256] = 128
    raw_size: Annotated[int, Field(ge=16)] | None = None
    """Side of the ray grid; None: half of the image's. Super-resolution gets it enlarged to half of the image's."""
    samples: Count = 20
    importance_samples: Count = 12
    near: Rate = 2.28
    far: Rate = 3.12
    box: Rate = 0.74
