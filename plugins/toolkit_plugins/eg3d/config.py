"""Sizes and settings of an EG3D."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from toolkit.errors import ConfigError
from toolkit.generators.config import About, VolumeConfig

PLANE_AXES = {"original": ((0, 1), (0, 2), (2, 0)), "fixed": ((0, 1), (0, 2), (2, 1))}
"""World axes that run along W and H of each plane.

The published code reads planes 1 and 2 along the same two axes, and all of NVIDIA's files rely on it ('original');
third-party trainings have mended it ('fixed'). A bare state dict cannot tell the two apart.
"""
LICENCE = "NVIDIA Source Code License (non-commercial)"


def _about() -> About:
    return About(name="eg3d", licence=LICENCE, pivot=(0.0, 0.0, 0.2), truncation=0.7)


@dataclass(frozen=True)
class EG3DConfig(VolumeConfig):
    """Everything that decides which tensors an EG3D has and what it computes. Defaults: `ffhq512-64`."""

    title: ClassVar[str] = "EG3D"

    decoder_activation: str = "sigmoid"
    use_torgb: bool = False
    use_background: bool = False
    crop_margin: float | None = None
    plane_axes: str = "original"
    """A key of `PLANE_AXES`."""
    about: About = field(default_factory=_about)

    def __post_init__(self) -> None:
        """Check what no constructor further down would explain.

        Raises:
            ConfigError: An impossible value.
        """
        super().__post_init__()
        if self.plane_axes not in PLANE_AXES:
            raise ConfigError(f"plane_axes must be one of {', '.join(PLANE_AXES)}, got {self.plane_axes!r}")

    @classmethod
    def _official_values(cls, kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        # the last two are attributes of the pickled generator, not arguments of its constructor
        return super()._official_values(kwargs, options) | {
            "raw_size": int(kwargs.get("neural_rendering_resolution", 64)),
            "plane_axes": axes_name(kwargs.get("plane_axes", "original")),
        }

    @classmethod
    def _golden_values(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        return super()._golden_values(config) | {
            "plane_size": config.get("plane_size", 256),
            "plane_axes": config.get("plane_axes", "original"),
        }


def axes_name(value: Any) -> str:
    """Name of plane axes given as a name or as the official attribute [3, 3, 3].

    Rows 0 and 1 of each matrix are the directions along W and H.

    Raises:
        ConfigError: Neither of the two known sets of axes.
    """
    if isinstance(value, str):
        return value
    try:
        matrices = torch.as_tensor(value, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError):
        matrices = torch.zeros(0)
    for name, axes in PLANE_AXES.items():
        rows = torch.eye(3)[torch.tensor(axes)]
        if matrices.shape == (3, 3, 3) and torch.equal(matrices[:, :2].cpu(), rows):
            return name
    raise ConfigError("plane_axes is neither EG3D's original set of plane axes nor the mended one")
