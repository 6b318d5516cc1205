"""The method `dual-encoder`, and its two encoders alone: one pass from an image to a head."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from toolkit.encoders import DescentEncoder, EncoderFile, EncoderOpener, EncoderOptions
from toolkit.encoders.code_fit import CodeFit
from toolkit.encoders.head_fit import HeadFit
from toolkit.encoders.plane_fit import PlaneFit
from toolkit.encoders.superresolution_fit import SuperResolutionFit
from toolkit.encoders.training.named_parts import open_stitcher
from toolkit.interfaces import Generator
from toolkit.registry import default_registry
from toolkit_plugins.dual_encoder.joining import MaskSettings, StyleChoice
from toolkit_plugins.dual_encoder.networks import (
    DUAL,
    ENCODER_1,
    ENCODER_2,
    AnyEncoder,
    DualEncoder,
    read_encoder_of,
)

PACKAGE = "toolkit_plugins.dual_encoder"


FAST: Mapping[str, Any] = {"codes.steps": 0, "fit.steps": 0, "superresolution.steps": 0, "descent_steps": 8}
"""The encoders alone. Encoder 1 takes more steps than in its training: they go by the photo, which sees it."""
PAPER: Mapping[str, Any] = {"stitcher": "hard", "mask.free_space": 0, "mask.closing": 0, **FAST}
"""Eq. 3 to the letter: the mask is what pixels of the input view hit, nothing softens or widens it, and the head stays
as the encoders found it."""


Steps = Annotated[int, Field(ge=1, le=1000)]


class SingleOptions(EncoderOptions):
    """What a user may set on an encoder alone."""

    descent_steps: Steps | None = None
    """Steps of learned descent, where the file has it; None: as many as in the training. Each takes about a second."""


class DualOptions(EncoderOptions):
    """What a user may set."""

    preset: str = "default"
    """Name of the preset that the settings started from: default, fast or paper."""
    stitcher: str = "feathered"
    """Which registered stitcher joins the planes."""
    mask: MaskSettings = MaskSettings()
    ws: StyleChoice = StyleChoice()
    descent_steps: Steps | None = None
    """Steps of encoder 1's learned descent, where the file has it; None: as many as in the training. Further ones are
    only taken while the error of the input view falls. Encoder 2 takes as many as in the training."""
    codes: CodeFit = CodeFit()
    """How encoder 2's code is fitted to the photo before planes are; encoder 1 begins there, too."""
    fit: PlaneFit = PlaneFit()
    """How the head is fitted to the photo in the end, where the photo sees it."""
    superresolution: SuperResolutionFit = SuperResolutionFit()
    """How super-resolution is fitted to the photo's colours, before the head is and once more after."""
    keep_planes: bool = False
    """Keep both encoders' planes and the mask in the inversion's `extra`."""


def build_dual(file: EncoderFile, generator: Generator, options: DualOptions) -> DualEncoder:
    """The dual encoder of a file.

    Raises:
        PluginError: Unknown stitcher.
        WeightsError: The weights do not fit.
    """
    visible = read_encoder_of(file, ENCODER_1, generator, options.descent_steps)
    occluded = read_encoder_of(file, ENCODER_2, generator)
    fitted = options.fit.steps is not None or isinstance(visible, DescentEncoder)
    return DualEncoder(
        visible,
        occluded,
        open_stitcher(options.stitcher),
        options.mask,
        options.ws,
        codes=options.codes,
        fit=HeadFit(options.fit, options.superresolution) if fitted else None,
        keep_planes=options.keep_planes,
    )


def build_single(name: str, file: EncoderFile, generator: Generator, options: SingleOptions) -> AnyEncoder:
    """Encoder 1 or 2 of its own file, or of a dual encoder's.

    Raises:
        WeightsError: The weights do not fit.
    """
    return read_encoder_of(file, name, generator, options.descent_steps)


def check_options(generator: Generator, options: DualOptions) -> None:
    """Refuse options that this generator cannot serve, before any file is read.

    Raises:
        CapabilityError: The options set parts of ws apart whose rows the generator does not name.
        ConfigError: Two parts of ws that are one row come from different encoders.
        PluginError: Unknown stitcher.
    """
    options.ws.check(generator)
    default_registry().get("stitcher", options.stitcher)


DUAL_OPENER = EncoderOpener(
    DUAL, PACKAGE, build_dual, DualOptions, check=check_options, named={"fast": FAST, "paper": PAPER}
)
OPENER_1, OPENER_2 = (
    EncoderOpener(name, PACKAGE, functools.partial(build_single, name), SingleOptions, shipped=DUAL)
    for name in (ENCODER_1, ENCODER_2)
)
open_dual, open_dual_encoder = DUAL_OPENER.encoder, DUAL_OPENER.method
open_first, open_encoder1 = OPENER_1.encoder, OPENER_1.method
open_second, open_encoder2 = OPENER_2.encoder, OPENER_2.method
