"""Recognises official PanoHead weights and builds the module that they fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from toolkit.generators.architecture import with_widths_of
from toolkit_plugins.panohead.config import PanoHeadConfig
from toolkit_plugins.panohead.generator import PanoHead

_TELLING_KEYS = ("t_mapping.embed.weight", "backbone.synthesis.b4.const", "decoder.net.0.weight")


class PanoHeadArchitecture:
    """Weights of PanoHead's generator (kind `panohead`): how they are recognised and built."""

    kind = "panohead"
    extra_keys = ("dataset_label_std",)
    """In trained files, not used in inference."""

    def recognises(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether keys are PanoHead's: a camera-shift network, and no second representation (SphereHead's)."""
        return all(key in shapes for key in _TELLING_KEYS) and not any(key.startswith("ConvA.") for key in shapes)

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> PanoHead:
        """Build a PanoHead of a configuration (None: as released); weights are not loaded."""
        return PanoHead(with_widths_of(state_dict, PanoHeadConfig.from_any(config), config))
