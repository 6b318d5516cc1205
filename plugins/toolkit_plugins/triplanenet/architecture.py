"""Recognises official TriPlaneNet second stages and builds the networks that they fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from toolkit.encoders.networks.official_sizes import trunk_sizes
from toolkit.encoders.networks.plane_unet import PlaneOffsets, PlaneRefiner, PlaneUnetConfig
from toolkit.weights.shapes import Shapes, agreed, shapes_of, with_config

V1_CHANNELS, V2_CHANNELS = 6, 9
_V1_HEAD, _V2_HEAD = "final_head", "final_head_two"


class V1Architecture:
    """Weights of TriPlaneNet's encoder, version 1 (kind `triplanenet_v1_encoder`)."""

    kind = "triplanenet_v1_encoder"

    def recognises(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether there are up blocks and the first version's head."""
        return "up1.conv.double_conv.0.weight" in shapes and f"{_V1_HEAD}.0.weight" in shapes

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> PlaneOffsets:
        """Build the network; sizes follow from the shapes unless the config (see `PlaneUnetConfig`) says more."""
        shapes = shapes_of(state_dict)
        sizes = _sizes(shapes, _V1_HEAD, V1_CHANNELS, shuffled=True)
        entering = agreed(shapes, [(f"{_V1_HEAD}.0.weight", 1)], sizes.decoded_channels)
        return PlaneOffsets(with_config(_scaled(sizes, entering), config, "plane network"))


class V2Architecture:
    """Kind `triplanenet_v2_encoder`; builds either variant, whichever the shapes are of."""

    kind = "triplanenet_v2_encoder"
    shuffled = False

    def recognises(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether there are up blocks of this variant and the second version's head."""
        known = "up1.conv.double_conv.0.weight" in shapes and f"{_V2_HEAD}.0.weight" in shapes
        return known and _is_shuffled(shapes, self.shuffled) == self.shuffled

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> PlaneRefiner:
        """Build the network; sizes follow from the shapes unless the config (see `PlaneUnetConfig`) says more."""
        shapes = shapes_of(state_dict)
        sizes = _sizes(shapes, _V2_HEAD, V2_CHANNELS, _is_shuffled(shapes, self.shuffled))
        usual = sizes.plane_channels + sizes.decoded_channels
        entering = agreed(shapes, [(f"{_V2_HEAD}.0.weight", 1)], usual) - sizes.plane_channels
        return PlaneRefiner(with_config(_scaled(sizes, entering), config, "plane network"))


class V2ShuffleArchitecture(V2Architecture):
    """Version 2's weights where the last layer shuffles pixels (kind `triplanenet_v2_encoder_pixelshuffle`)."""

    kind = "triplanenet_v2_encoder_pixelshuffle"
    shuffled = True


def _sizes(shapes: Shapes, head: str, channels: int, shuffled: bool) -> PlaneUnetConfig:
    width, units = trunk_sizes(shapes)
    hidden = [(f"{head}.{name}", 0) for name in ("0.weight", "0.bias", "1.weight", "2.weight", "2.bias", "3.weight")]
    return PlaneUnetConfig(
        plane_channels=agreed(shapes, [(f"{head}.4.weight", 0), (f"{head}.4.bias", 0)], PlaneUnetConfig.plane_channels),
        head_width=agreed(shapes, hidden, PlaneUnetConfig.head_width),
        pixel_shuffle=shuffled,
        in_channels=channels,
        width=width,
        units=units,
    )


def _is_shuffled(shapes: Shapes, default: bool) -> bool:
    """Whether maps grow by pixel shuffle: the second up block then puts out 6 widths, otherwise 4."""
    width, _ = trunk_sizes(shapes)
    names = ("1.weight", "1.bias", "2.weight", "3.weight", "3.bias", "4.weight", "5.weight")
    outputs = agreed(shapes, [(f"up2.conv.double_conv.{name}", 0) for name in names], 0)
    return {6 * width: True, 4 * width: False}.get(outputs, default)


def _scaled(sizes: PlaneUnetConfig, entering: int) -> PlaneUnetConfig:
    """Tell by the decoded channels that enter the head how large the planes are."""
    for scale in (1, 4, 8):
        if sizes.pixel_shuffle and entering * scale**2 == sizes.up_widths[-1]:
            return dataclasses.replace(sizes, plane_scale=scale)
    return sizes
