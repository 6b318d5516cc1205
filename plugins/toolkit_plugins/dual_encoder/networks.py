"""The two encoders, alike in architecture: as laid out for a training, and as read from a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn

from toolkit.encoders import EncoderFile, build_two_stage, two_stage_sizes
from toolkit.encoders.networks.plane_unet import PlaneRefiner, PlaneUnetConfig
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, StyleEncoderConfig
from toolkit.encoders.networks.triplanenet import TriPlaneNetV2
from toolkit.encoders.two_stage import FIRST, SECOND, VIEW
from toolkit.errors import WeightsError
from toolkit.interfaces import Generator
from toolkit_plugins.dual_encoder.latent_space import MappedEncoder, Space

DUAL, ENCODER_1, ENCODER_2 = "dual-encoder", "encoder1", "encoder2"
DISCRIMINATOR = "discriminator"
SPACE = "space"


def build_encoder(
    first: StyleEncoderConfig,
    second: PlaneUnetConfig,
    generator: Generator,
    centre: Tensor,
    space: Space = "w+",
    view_resolution: int | None = None,
) -> TriPlaneNetV2:
    """Lay out one encoder with random weights; its second stage begins by changing nothing.

    Args:
        first: Sizes of the first stage.
        second: Sizes of the second.
        generator: Whose codes and planes are wanted.
        centre: The average w, [num_ws, w_dim].
        space: Where the first stage's codes are, before the mapping.
        view_resolution: Side of the ray grid of the renders that the second stage sees.
    """
    codes: nn.Module
    codes = GradualStyleEncoder(first) if space == "w+" else MappedEncoder(space, first, generator, centre)
    refiner = PlaneRefiner(second)
    for parameter in refiner.final_head_two[-1].parameters():
        nn.init.zeros_(parameter)
    # the pipeline asks the first stage for offsets and for its sizes only
    return TriPlaneNetV2(cast(GradualStyleEncoder, codes), refiner, centre, view_resolution)


def sizes_of(encoder: TriPlaneNetV2) -> dict[str, Any]:
    """What rebuilds an encoder, as JSON values."""
    first: nn.Module = encoder.psp_encoder
    if not isinstance(first, MappedEncoder):
        return two_stage_sizes(encoder)
    second = dataclasses.asdict(encoder.triplanenet_encoder.config)
    return {
        FIRST: dataclasses.asdict(first.sizes),
        SECOND: second,
        VIEW: encoder.view_resolution,
        SPACE: first.space,
    }


def parts_of(encoder: TriPlaneNetV2, prefix: str = "") -> dict[str, nn.Module]:
    """The networks of an encoder by their names in files."""
    return {prefix + FIRST: encoder.psp_encoder, prefix + SECOND: encoder.triplanenet_encoder}


def read_one(file: EncoderFile, name: str, generator: Generator, *, other_generator: bool = False) -> TriPlaneNetV2:
    """An encoder out of its own file or of a dual encoder's, ready to be used on the generator's device.

    Args:
        file: Of kind `name`, or a dual encoder's.
        name: ENCODER_1 or ENCODER_2.
        generator: Which codes are wanted for.
        other_generator: Accept another generator than the file's.

    Raises:
        WeightsError: The weights do not fit, or belong to another generator.
    """
    file.check_generator(generator.spec, other=other_generator)
    prefix = f"{name}." if file.kind == DUAL else ""
    sizes: Mapping[str, Any] = file.config.get(name, {}) if prefix else file.config
    if sizes.get(SPACE, "w+") == "w+":
        return build_two_stage(file, generator.device, prefix)
    try:
        first, second = StyleEncoderConfig(**sizes[FIRST]), PlaneUnetConfig(**sizes[SECOND])
    except (KeyError, TypeError) as error:
        raise WeightsError(f"{file.path}: the sizes of the networks are not in its header ({error})") from error
    encoder = build_encoder(first, second, generator, file.centre.to(generator.device), sizes[SPACE], sizes.get(VIEW))
    for part, network in parts_of(encoder, prefix).items():
        file.load_into(network, part)
    return encoder.eval().requires_grad_(False).to(generator.device)
