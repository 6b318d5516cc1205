"""What the readers of official weights of EG3D's family share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from torch import Tensor

from toolkit.generators.config import VolumeConfig

_WIDTH_KEYS = ("superresolution.block0.conv0.bias", "superresolution.block1.conv0.bias")
_Config = TypeVar("_Config", bound=VolumeConfig)


def with_widths_of(state_dict: Mapping[str, Tensor], settings: _Config, given: Mapping[str, Any] | None) -> _Config:
    """Settings with the super-resolution widths of a state dict.

    Official constructor keywords name the super-resolution's class but not its widths, so those follow the shapes.

    Args:
        state_dict: Official keys.
        settings: What `given` was read as.
        given: The configuration as it came; only official keywords leave widths open.
    """
    if given is None or "rendering_kwargs" not in given or not all(key in state_dict for key in _WIDTH_KEYS):
        return settings
    first, second = (state_dict[key].shape[0] for key in _WIDTH_KEYS)
    return settings.with_sr_widths((first, second))
