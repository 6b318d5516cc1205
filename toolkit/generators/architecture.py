"""What the readers of official weights of EG3D's family share."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from torch import Tensor

from toolkit.generators.config import VolumeConfig

_WIDTH_KEYS = ("superresolution.block0.conv0.bias", "superresolution.block1.conv0.bias")
_BLOCK = re.compile(r"backbone\.synthesis\.b(\d{1,5})\.conv1\.weight")
_Config = TypeVar("_Config", bound=VolumeConfig)


def with_widths_of(state_dict: Mapping[str, Tensor], settings: _Config, given: Mapping[str, Any] | None) -> _Config:
    """Settings with the super-resolution widths and the size of planes of a state dict.

    Official constructor keywords name the super-resolution's class but not its widths, and EG3D's do not say how large
    planes are: both follow from the keys.

    Args:
        state_dict: Official keys.
        settings: What `given` was read as.
        given: The configuration as it came; only official keywords leave widths open.
    """
    if given is None or "rendering_kwargs" not in given or not all(key in state_dict for key in _WIDTH_KEYS):
        return settings
    first, second = (state_dict[key].shape[0] for key in _WIDTH_KEYS)
    settings = settings.with_sr_widths((first, second))
    blocks = [int(match.group(1)) for key in state_dict if (match := _BLOCK.fullmatch(key))]
    if "triplane_size" in given["rendering_kwargs"] or not blocks:
        return settings
    return dataclasses.replace(settings, plane_size=max(blocks))
