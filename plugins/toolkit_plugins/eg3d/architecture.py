"""Recognises official EG3D weights and builds the module that they fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from toolkit.generators.architecture import with_widths_of
from toolkit_plugins.eg3d.config import EG3DConfig
from toolkit_plugins.eg3d.generator import EG3D

_TELLING_KEYS = ("backbone.synthesis.b4.const", "superresolution.block0.conv0.weight", "decoder.net.0.weight")
_FOREIGN_STARTS = ("t_mapping.", "ConvA.", "bcg_synthesis.")
"""What PanoHead and SphereHead have besides."""


class EG3DArchitecture:
    """Kind `eg3d`.

    `config` also takes two attributes of the pickled generator beside its constructor's keywords:
    `neural_rendering_resolution`, and `plane_axes` ([3, 3, 3] of its renderer, or a name), which no state dict tells.
    """

    kind = "eg3d"
    extra_keys = ("dataset_label_std",)
    """In trained files, not used in inference."""

    def recognises(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether keys are those of the family, and of none of its other members."""
        return all(key in shapes for key in _TELLING_KEYS) and not any(
            key.startswith(_FOREIGN_STARTS) for key in shapes
        )

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> EG3D:
        """Build an EG3D of a configuration (None: as released); weights are not loaded."""
        return EG3D(with_widths_of(state_dict, EG3DConfig.from_any(config), config))
