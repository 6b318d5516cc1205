"""`toolkit train triplanenet`: pSp's stage, then the network that corrects the planes.

toolkit train triplanenet --out runs/triplanenet
toolkit train triplanenet --config training/triplanenet-panohead --out runs/triplanenet
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from toolkit.camera import Camera
from toolkit.configuration import config_path, load_config
from toolkit.encoders import TriPlaneNetV2
from toolkit.encoders.networks.plane_unet import PlaneRefiner
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder
from toolkit.encoders.training import (
    EncoderTraining,
    EncodingBatch,
    EncodingSettings,
    LossContext,
    Recipe,
    Reconstruction,
    RefinerSizes,
    Stage,
    StageSettings,
    StyleEncoderSizes,
    code_losses,
    freeze_generator,
    reconstructed,
)
from toolkit.interfaces import Generator
from toolkit_plugins.triplanenet.method import KIND

CONFIG = "training/triplanenet"


class TriPlaneNetSettings(EncodingSettings):
    """Settings of the training; stages without steps are left out (the first two when it starts from a file)."""

    network: StyleEncoderSizes = StyleEncoderSizes()
    refiner: RefinerSizes = RefinerSizes()
    view_resolution: Annotated[int, Field(ge=8)] | None = None
    """Side of the ray grid of the renders that the second stage sees; None: the generator's own."""
    codes: StageSettings = StageSettings(steps=0)
    images: StageSettings = StageSettings()
    planes: StageSettings = StageSettings()


def triplanenet_training(
    settings: TriPlaneNetSettings, device: str = "cpu", generator: Generator | None = None
) -> EncoderTraining:
    """The training of both stages: codes of pairs, images through the first stage, then planes.

    Args:
        settings: Sizes, data and stages.
        device: Where to train.
        generator: Instead of the one that the settings name.

    Raises:
        CapabilityError: The generator's planes cannot be seen as images.
    """
    frozen = freeze_generator(settings, device, generator)
    sizes = settings.network.for_generator(frozen.generator.spec)
    first = GradualStyleEncoder(sizes)
    second = PlaneRefiner(settings.refiner.for_generator(frozen.generator, sizes.image_size))
    second.begin_still()
    encoder = TriPlaneNetV2(first, second, frozen.average_latent, settings.view_resolution)
    stages = [
        _first_stage("codes", settings.codes, encoder),
        _first_stage("images", settings.images, encoder),
        _second_stage("planes", settings.planes, encoder),
    ]
    return EncoderTraining(settings, frozen, Recipe(KIND, encoder, stages))


def _first_stage(name: str, settings: StageSettings, encoder: TriPlaneNetV2) -> Stage:
    def losses(context: LossContext, batch: EncodingBatch, local: int) -> Mapping[str, Tensor]:
        return code_losses(context, settings, encoder.codes, batch, encoder.image_size, local)[0]

    return Stage(name, settings, encoder.psp_encoder, losses)


def _second_stage(name: str, settings: StageSettings, encoder: TriPlaneNetV2) -> Stage:
    def losses(context: LossContext, batch: EncodingBatch, local: int) -> Mapping[str, Tensor]:
        found = refined(encoder, batch, context.generator, pairs=settings.reconstruct_pairs)
        return found.losses(context, settings, local, "smooth_l1")

    return Stage(name, settings, encoder.triplanenet_encoder, losses)


def refined(encoder: TriPlaneNetV2, batch: EncodingBatch, generator: Generator, *, pairs: bool) -> Reconstruction:
    """Both stages on a batch's pictures; gradients reach the second only.

    Args:
        encoder: Both stages.
        batch: Photos first, pairs after them.
        generator: Frozen.
        pairs: Whether pairs are reconstructed, too.
    """
    target, label, _ = reconstructed(batch, pairs=pairs)
    assert target is not None and label is not None  # a stage without photos and pairs has no batch
    camera = Camera(label)
    with torch.no_grad():
        first = encoder.first(target, camera, generator)
        mirrored = encoder.mirrored_view(first, camera, generator)
    code = encoder.second(first, mirrored, target, generator)
    return Reconstruction(code.planes, code.ws, target, label, batch.window)


def make_job(config: Path | None, overrides: Sequence[str], device: str) -> EncoderTraining:
    """Build the training from a YAML file (None: the shipped one) and `a.b=c` overrides."""
    return triplanenet_training(load_config(TriPlaneNetSettings, config or config_path(CONFIG), overrides), device)
