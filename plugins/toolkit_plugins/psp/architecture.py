"""Recognises official pSp weights and builds the networks that they fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from toolkit.encoders.networks.last_layer import LastLayerConfig, LastLayerW, LastLayerWPlus
from toolkit.encoders.networks.official_sizes import is_style_encoder, style_encoder_config, trunk_sizes
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder
from toolkit.weights.shapes import Shapes, agreed, shapes_of, with_config

MANY_STYLES = 18


class GradualArchitecture:
    """Kind `psp_gradual_encoder`; e4e's files have the same keys, so the user must say which it is."""

    kind = "psp_gradual_encoder"

    def recognises(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether these are a pyramid encoder's keys, other than one of 18 styles."""
        return is_style_encoder(shapes) and not is_style_encoder(shapes, MANY_STYLES)

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> GradualStyleEncoder:
        """Build the encoder; sizes follow from the shapes unless the config (see `StyleEncoderConfig`) says more."""
        return GradualStyleEncoder(style_encoder_config(shapes_of(state_dict), config))


class Gradual18Architecture(GradualArchitecture):
    """Kind `psp_gradual_encoder_18styles`: the same network for a 1024 px generator."""

    kind = "psp_gradual_encoder_18styles"

    def recognises(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether these are the keys of a pyramid encoder of 18 styles."""
        return is_style_encoder(shapes, MANY_STYLES)


class LastLayerWArchitecture:
    """Weights of pSp's encoder into W (kind `psp_last_layer_w`): trunk and one dense layer."""

    kind = "psp_last_layer_w"

    def recognises(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether there is a trunk and one dense layer."""
        return "body.0.res_layer.0.weight" in shapes and {key.split(".")[0] for key in shapes} == {
            "input_layer",
            "body",
            "linear",
        }

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> LastLayerW:
        """Build the encoder; sizes follow from the shapes unless the config (see `LastLayerConfig`) says more."""
        return LastLayerW(_sizes(shapes_of(state_dict), config, styles=1))


class LastLayerWPlusArchitecture:
    """Weights of pSp's encoder into W+ from the last layer (kind `psp_last_layer_wplus`)."""

    kind = "psp_last_layer_wplus"

    def recognises(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether there is the second output layer."""
        return "output_layer_2.3.weight" in shapes and "linear.weight" in shapes

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> LastLayerWPlus:
        """Build the encoder; sizes follow from the shapes unless the config (see `LastLayerConfig`) says more."""
        shapes = shapes_of(state_dict)
        hidden = agreed(shapes, _HIDDEN, LastLayerConfig.style_dim)
        rows = agreed(shapes, [("linear.weight", 0), ("linear.bias", 0)], LastLayerConfig.styles * hidden)
        return LastLayerWPlus(_sizes(shapes, config, styles=rows // hidden or LastLayerConfig.styles))


_HIDDEN = [("output_layer_2.3.bias", 0), ("output_layer_2.3.weight", 0), ("linear.weight", 1)]


def _sizes(shapes: Shapes, config: Mapping[str, Any] | None, styles: int) -> LastLayerConfig:
    width, units = trunk_sizes(shapes)
    places = _HIDDEN if styles > 1 else [("linear.weight", 0), ("linear.bias", 0)]
    dim = agreed(shapes, places, LastLayerConfig.style_dim)
    sizes = LastLayerConfig(styles=styles, style_dim=dim, width=width, units=units)
    return with_config(sizes, config, "last-layer encoder")
