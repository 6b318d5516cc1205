"""Sizes and settings of a SphereHead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from toolkit.errors import ConfigError
from toolkit.generators.config import NUM_PLANES, About, VolumeConfig

BALLS = 2
BACKBONE_CHANNELS = 512
LICENCE = "that of the SphereHead release (research only)"


def _about() -> About:
    return About(name="spherehead", licence=LICENCE)


@dataclass(frozen=True)
class SphereHeadConfig(VolumeConfig):
    """Everything that decides which tensors a SphereHead has and what it computes. Defaults: as released."""

    title: ClassVar[str] = "SphereHead"

    parsing: bool = False
    """Whether a head for face parsing (20 classes) is there."""
    about: About = field(default_factory=_about)

    @property
    def backbone_channels(self) -> int:
        """Channels of the backbone's output image, from which both balls are made."""
        return BACKBONE_CHANNELS

    @property
    def planes_shape(self) -> tuple[int, ...]:
        """Balls, planes, channels, height, width."""
        return (BALLS, NUM_PLANES, self.plane_channels, self.plane_size, self.plane_size)

    @classmethod
    def _official_values(cls, kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        _check_depth(options.get("triplane_depth", 3))
        return super()._official_values(kwargs, options) | {
            "plane_size": options.get("triplane_size", 256),
            "decoder_activation": options.get("decoder_activation", "sigmoid"),
            "use_torgb": bool(options.get("use_torgb_raw", False)),
            "use_background": bool(options.get("use_background", False)),
            "parsing": bool(kwargs.get("parsing_flag", False)),
        }

    @classmethod
    def _golden_values(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        _check_depth(config["triplane_depth"])
        return super()._golden_values(config) | {
            "plane_size": config["triplane_size"],
            "decoder_activation": config["decoder_activation"],
            "use_torgb": config["use_torgb_raw"],
            "use_background": config["use_background"],
            "parsing": config.get("parsing_flag", False),
        }


def _check_depth(depth: int) -> None:
    if depth != NUM_PLANES:
        raise ConfigError(f"triplane_depth of SphereHead must be {NUM_PLANES}, got {depth}")
