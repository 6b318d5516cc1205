"""Recognises official face recognisers and builds the networks that they fit."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from toolkit.encoders.networks.irse import DEEPEST, UNITS
from toolkit.encoders.networks.official_sizes import trunk_sizes
from toolkit.weights.shapes import Shapes, agreed, shapes_of, with_config
from toolkit_plugins.face_recognition.recogniser import FaceRecogniser, RecogniserConfig

_ATTENTION = "body.0.res_layer.5.fc1.weight"


class ArcFaceArchitecture:
    """Kind `irse50_arcface` (file model_ir_se50)."""

    kind = "irse50_arcface"
    usual = RecogniserConfig()

    def recognises(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether there are a trunk with attention or without, as in this kind, and a recogniser's output layer."""
        return "output_layer.3.weight" in shapes and (_ATTENTION in shapes) == self.usual.attention

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> FaceRecogniser:
        """Build the network; sizes follow from the shapes unless the config (see `RecogniserConfig`) says more."""
        return FaceRecogniser(with_config(_sizes(shapes_of(state_dict), self.usual), config, "recogniser"))


class CurricularFaceArchitecture(ArcFaceArchitecture):
    """Kind `curricularface_ir101` (file CurricularFace_Backbone)."""

    kind = "curricularface_ir101"
    usual = RecogniserConfig(units=UNITS[100], attention=False, affine=False, dropout=0.4)


def _sizes(shapes: Shapes, usual: RecogniserConfig) -> RecogniserConfig:
    width, units = trunk_sizes(shapes)
    places = [(f"output_layer.{name}", 0) for name in ("3.weight", "3.bias", "4.running_mean", "4.running_var")]
    pixels = agreed(shapes, [("output_layer.3.weight", 1)], 0) / (8 * width)
    side = math.isqrt(int(pixels)) * DEEPEST
    return dataclasses.replace(
        usual,
        width=width,
        units=units,
        embedding=agreed(shapes, places, usual.embedding),
        image_size=side if side and (side // DEEPEST) ** 2 == pixels else usual.image_size,
    )
