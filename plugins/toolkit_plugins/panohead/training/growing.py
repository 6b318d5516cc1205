"""Starting a training from the weights of another one, with planes of the same or a higher resolution."""

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
        smaller: Alike, but perhaps with fewer synthesis blocks. A mapping of other layers begins from the start.

    Raises:
        ConfigError: The networks differ in more than the size of their planes.
    """
    known, state = smaller.state_dict(), generator.state_dict()
    if generator.config.plane_channels != smaller.config.plane_channels or len(_sizes(smaller)) > len(
        _sizes(generator)
    ):
        raise ConfigError("start: the weights must have as many plane channels, and planes that are not finer")
    if _mapping_of(generator) != _mapping_of(smaller):
        state = {name: value for name, value in state.items() if not name.startswith("backbone.mapping.")}
    new = [f"backbone.synthesis.b{side}." for side in generator.backbone.synthesis.sizes[len(_sizes(smaller)) :]]
    for name, value in state.items():
        if name == "plane_offset":
            value.copy_(F.interpolate(known[name], size=value.shape[-2:], mode="bilinear"))
        elif any(name.startswith(start) for start in new):
            if name.split(".", 3)[3] in ("torgb.weight", "torgb.bias"):
                value.zero_()
        elif name in known and known[name].shape == value.shape:
            value.copy_(known[name])
        else:
            raise ConfigError(f"start: the weights have another {name} than the networks to be trained")


def _sizes(generator: PanoHead) -> list[int]:
    return generator.backbone.synthesis.sizes


def _mapping_of(generator: PanoHead) -> tuple[int | None, str | None]:
    return generator.config.mapping_hidden, generator.config.mapping_last
