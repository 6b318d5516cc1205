"""Beginning a training where another one ended, with planes as fine as before or finer."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from toolkit.errors import ConfigError
from toolkit_plugins.panohead.generator import PanoHead


@torch.no_grad()
def grow(generator: PanoHead, smaller: PanoHead) -> None:
    """Give a new generator what a trained one knows; blocks that are only in the new one add nothing at first.

    Args:
        generator: Changed in place.
        smaller: Alike, but perhaps with fewer synthesis blocks.

    Raises:
        ConfigError: The networks differ in more than the size of their planes.
    """
    known, state = smaller.state_dict(), generator.state_dict()
    if generator.config.plane_channels != smaller.config.plane_channels or len(_sizes(smaller)) > len(
        _sizes(generator)
    ):
        raise ConfigError("start: the weights must have as many plane channels, and planes that are not finer")
    new = [f"backbone.synthesis.b{side}." for side in generator.backbone.synthesis.sizes[len(_sizes(smaller)) :]]
    for name, value in state.items():
        if name == "plane_offset":
            value.copy_(_enlarged(known[name], value.shape[-1]))
        elif any(name.startswith(start) for start in new):
            if name.split(".", 3)[3] in ("torgb.weight", "torgb.bias"):
                value.zero_()
        elif name in known and known[name].shape == value.shape:
            value.copy_(known[name])
        else:
            raise ConfigError(f"start: the weights have another {name} than the networks to be trained")


def _sizes(generator: PanoHead) -> list[int]:
    return generator.backbone.synthesis.sizes


def _enlarged(planes: torch.Tensor, side: int) -> torch.Tensor:
    """Planes [..., H, W] with `side` cells a side."""
    flat = planes.flatten(0, -4) if planes.ndim > 3 else planes[None]
    return F.interpolate(flat, size=(side, side), mode="bilinear").reshape(*planes.shape[:-2], side, side)
