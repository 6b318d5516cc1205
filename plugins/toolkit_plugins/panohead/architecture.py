"""Recognises official PanoHead weights and builds the module that they fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from toolkit_plugins.panohead.config import PanoHeadConfig
from toolkit_plugins.panohead.generator import PanoHead

_TELLING_KEYS = ("t_mapping.embed.weight", "backbone.synthesis.b4.const", "decoder.net.0.weight")
_WIDTH_KEYS = ("superresolution.block0.conv0.bias", "superresolution.block1.conv0.bias")


class PanoHeadArchitecture:
    """Kind `panohead`."""

    kind = "panohead"
    extra_keys = ("dataset_label_std",)
    """In trained files, not used in inference."""

    def recognises(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether keys are PanoHead's: a camera-shift network, and no second representation (SphereHead's)."""
        return all(key in shapes for key in _TELLING_KEYS) and not any(key.startswith("ConvA.") for key in shapes)

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> PanoHead:
        """Build a PanoHead of a configuration (None: as released); weights are not loaded.

        Official constructor keywords name the super-resolution's class but not its widths, so those follow the shapes.
        """
        settings = PanoHeadConfig.from_any(config)
        if config is not None and "rendering_kwargs" in config and all(key in state_dict for key in _WIDTH_KEYS):
            first, second = (state_dict[key].shape[0] for key in _WIDTH_KEYS)
            settings = settings.with_sr_widths((first, second))
        return PanoHead(settings)
