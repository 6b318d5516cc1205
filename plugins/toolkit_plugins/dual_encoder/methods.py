"""The method `dual-encoder`, and its two encoders alone: one pass from an image to a head."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from toolkit.camera import Camera
from toolkit.encoders import (
    Encoded,
    EncoderFile,
    EncoderMethod,
    EncoderOptions,
    Laps,
    find_encoder,
    read_encoder,
)
from toolkit.encoders.networks.triplanenet import TriPlaneNetV2
from toolkit.interfaces import Generator, Stitcher
from toolkit.options import read_options
from toolkit.registry import default_registry
from toolkit_plugins.dual_encoder.joining import MaskSettings, StyleChoice
from toolkit_plugins.dual_encoder.networks import DUAL, ENCODER_1, ENCODER_2, read_one
from toolkit_plugins.dual_encoder.stitching import stitch_planes

PACKAGE = "toolkit_plugins.dual_encoder"


class DualOptions(EncoderOptions):
    """What a user may set."""

    stitcher: str = "feathered"
    """Which registered stitcher joins the planes."""
    mask: MaskSettings = MaskSettings()
    ws: StyleChoice = StyleChoice()
    keep_planes: bool = False
    """Keep both encoders' planes and the mask in the inversion's `extra`."""


class SingleEncoder(EncoderMethod):
    """One of the two encoders alone."""

    def __init__(self, name: str, encoder: TriPlaneNetV2, options: EncoderOptions, file: EncoderFile) -> None:
        """Keep the encoder, on the generator's device."""
        super().__init__(name, options, file)
        self.encoder = encoder

    def encode(self, image: Tensor, camera: Camera, generator: Generator, laps: Laps) -> Encoded:
        """Both stages of the encoder."""
        with laps.lap("encode"):
            code = self.encoder.encode(image, camera, generator)
        return Encoded(code.ws, code.planes)


class DualEncoder(EncoderMethod):
    """Encoder 1 where the input view sees, encoder 2 where it does not."""

    options: DualOptions

    def __init__(
        self,
        visible: TriPlaneNetV2,
        occluded: TriPlaneNetV2,
        stitcher: Stitcher,
        options: DualOptions,
        file: EncoderFile,
    ) -> None:
        """Keep both encoders, on the generator's device."""
        super().__init__(DUAL, options, file)
        self.visible, self.occluded, self.stitcher = visible, occluded, stitcher

    def encode(self, image: Tensor, camera: Camera, generator: Generator, laps: Laps) -> Encoded:
        """Encode twice, find what encoder 1's head hides from the input view, take that from encoder 2's."""
        options = self.options
        with laps.lap("encode"):
            visible = self.visible.encode(image, camera, generator)
            occluded = self.occluded.encode(image, camera, generator)
        with laps.lap("mask"):
            occlusion = options.mask.find(generator, visible.planes, camera)
        with laps.lap("stitch"):
            planes = stitch_planes(self.stitcher, generator, visible.planes, occluded.planes, occlusion)
            ws = options.ws.pick(generator, visible.ws, occluded.ws)
        extra = {"visible_planes": visible.planes, "occluded_planes": occluded.planes, "occlusion": occlusion}
        return Encoded(ws, planes, extra if options.keep_planes else {})


def open_dual_encoder(generator: Generator, weights: Path | None, options: Mapping[str, Any]) -> DualEncoder:
    """Make the method for a generator; the options are those of `DualOptions`.

    Raises:
        CapabilityError: The options set parts of ws apart whose rows the generator does not name.
        ConfigError: Unknown or impossible option.
        PluginError: Unknown stitcher.
        WeightsError: There are no weights for this generator, or they cannot be used.
    """
    chosen: DualOptions = read_options(DualOptions, options, DUAL)
    chosen.ws.check(generator)
    stitcher: Stitcher = default_registry().load("stitcher", chosen.stitcher)()
    file = read_encoder(find_encoder(weights, PACKAGE, DUAL, generator.spec), DUAL)
    visible, occluded = (
        read_one(file, name, generator, other_generator=chosen.other_generator) for name in (ENCODER_1, ENCODER_2)
    )
    return DualEncoder(visible, occluded, stitcher, chosen, file)


def open_encoder1(generator: Generator, weights: Path | None, options: Mapping[str, Any]) -> SingleEncoder:
    """Make the method `encoder1`; errors as `open_dual_encoder`."""
    return _open_single(ENCODER_1, generator, weights, options)


def open_encoder2(generator: Generator, weights: Path | None, options: Mapping[str, Any]) -> SingleEncoder:
    """Make the method `encoder2`; errors as `open_dual_encoder`."""
    return _open_single(ENCODER_2, generator, weights, options)


def _open_single(name: str, generator: Generator, weights: Path | None, options: Mapping[str, Any]) -> SingleEncoder:
    chosen: EncoderOptions = read_options(EncoderOptions, options, name)
    file = read_encoder(find_encoder(weights, PACKAGE, DUAL, generator.spec), name, DUAL)
    return SingleEncoder(name, read_one(file, name, generator, other_generator=chosen.other_generator), chosen, file)
