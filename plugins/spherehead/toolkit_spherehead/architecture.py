"""Recognises official SphereHead weights and builds the module that they fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from toolkit.generators.architecture import with_widths_of
from toolkit_spherehead.config import SphereHeadConfig
from toolkit_spherehead.generator import SphereHead

_TELLING_KEYS = ("ConvA.0.weight", "ConvB.1.weight", "t_mapping.embed.weight", "decoder.net.0.weight")


class SphereHeadArchitecture:
    """Weights of SphereHead's generator (kind `spherehead`): how they are recognised and built."""

    kind = "spherehead"
    extra_keys = ("dataset_label_std",)
    """In trained files, not used in inference."""

    def recognises(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether keys are SphereHead's: a camera-shift network and the convolutions of both balls."""
        return all(key in shapes for key in _TELLING_KEYS)

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> SphereHead:
        """Build a SphereHead of a configuration (None: as released); weights are not loaded."""
        settings = SphereHeadConfig.from_any(config)
        if config is None:
            settings = replace(settings, parsing="toparsing.weight" in state_dict)
        return SphereHead(with_widths_of(state_dict, settings, config))
