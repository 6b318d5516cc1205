"""Encoders of two stages (TriPlaneNet v2 and those built on it): from files, and encoding with times."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.encoders.files import EncoderFile
from toolkit.encoders.method import Laps
from toolkit.encoders.networks.plane_unet import PlaneRefiner, PlaneUnetConfig
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, StyleEncoderConfig
from toolkit.encoders.networks.triplanenet import TriPlaneNetV2
from toolkit.errors import WeightsError
from toolkit.interfaces import Code, Generator

FIRST, SECOND = "psp_encoder", "triplanenet_encoder"
"""Names of the stages in files, the published ones."""
VIEW = "view_resolution"


def two_stage_sizes(network: TriPlaneNetV2) -> dict[str, Any]:
    """What rebuilds such an encoder, as JSON values."""
    return {
        FIRST: dataclasses.asdict(network.psp_encoder.config),
        SECOND: dataclasses.asdict(network.triplanenet_encoder.config),
        VIEW: network.view_resolution,
    }


def build_two_stage(file: EncoderFile, device: torch.device | str = "cpu", prefix: str = "") -> TriPlaneNetV2:
    """The encoder of a file: eval mode, gradients off.

    Args:
        file: Holds both stages.
        device: Where to put it.
        prefix: Stands before the stages' names where a file holds several encoders, e.g. 'encoder1.'.

    Raises:
        WeightsError: A stage is missing or does not fit.
    """
    sizes = file.config.get(prefix.removesuffix("."), {}) if prefix else file.config
    if FIRST not in sizes or SECOND not in sizes:
        raise WeightsError(f"{file.path} does not describe an encoder of two stages")
    first = GradualStyleEncoder(StyleEncoderConfig(**sizes[FIRST]))
    second = PlaneRefiner(PlaneUnetConfig(**sizes[SECOND]))
    file.load_into(first, prefix + FIRST)
    file.load_into(second, prefix + SECOND)
    network = TriPlaneNetV2(first, second, file.centre, sizes.get(VIEW))
    return network.eval().requires_grad_(False).to(device)


def encode_two_stage(
    network: TriPlaneNetV2, image: Tensor, camera: Camera, generator: Generator, laps: Laps | None = None
) -> Code:
    """Invert images [B, 3, S, S] in [-1, 1], timing code ('encode'), both views ('views') and planes ('refine').

    Raises:
        CapabilityError: The generator's planes cannot be seen as images.
    """
    laps = laps or Laps()
    with laps.lap("encode"):
        ws = network.codes(image)
        planes = generator.planes(ws)
    with laps.lap("views"):
        first = network.seen(ws, planes, camera, generator)
        mirrored = network.mirrored_view(first, camera, generator)
    with laps.lap("refine"):
        return network.second(first, mirrored, image, generator)
