"""Sizes and settings of a PanoHead: as released, from official files, or of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from toolkit.generators.config import About, VolumeConfig

__all__ = ["About", "PanoHeadConfig"]


@dataclass(frozen=True)
class PanoHeadConfig(VolumeConfig):
    """Everything that decides which tensors a PanoHead has and what it computes.

    Defaults are those of the released checkpoint `easy-khair-180-gpc0.8-trans10-025000.pkl`.
    """

    title: ClassVar[str] = "PanoHead"

    plane_depth: int = 3
    """Slices of the tri-grid along the axis that a plane does not span."""
    plane_offset: bool = False
    """Whether a learnt tri-grid, the same for all heads, is added to the backbone's (not in the original: a free mean
    head is learnt in minutes where a backbone needs days)."""

    @property
    def plane_channels(self) -> int:
        """Channels of one plane, all depth slices counted."""
        return self.feature_channels * self.plane_depth

    @classmethod
    def _official_values(cls, kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        return super()._official_values(kwargs, options) | {
            "plane_size": options.get("triplane_size", 256),
            "plane_depth": options.get("triplane_depth", 1),
            "decoder_activation": options.get("decoder_activation", "sigmoid"),
            "use_torgb": bool(options.get("use_torgb_raw", False)),
            "use_background": bool(options.get("use_background", False)),
        }

    @classmethod
    def _golden_values(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        return super()._golden_values(config) | {
            "plane_size": config["triplane_size"],
            "plane_depth": config["triplane_depth"],
            "decoder_activation": config["decoder_activation"],
            "use_torgb": config["use_torgb_raw"],
            "use_background": config["use_background"],
        }
