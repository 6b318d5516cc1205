"""`toolkit train psp`: an encoder into W+, learnt from pairs of known codes and from photos.

toolkit train psp --out runs/psp
toolkit train psp --config training/psp-panohead --set generator_weights=panohead.safetensors --out runs/psp
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from toolkit.configuration import config_path, load_config
from toolkit.encoders import CodeEncoder
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder
from toolkit.encoders.training import (
    EncoderTraining,
    EncodingBatch,
    EncodingSettings,
    LossContext,
    Recipe,
    Stage,
    StageSettings,
    StyleEncoderSizes,
    code_losses,
    freeze_generator,
)
from toolkit.interfaces import Generator
from toolkit_plugins.psp.method import ENCODER, KIND

CONFIG = "training/psp"


class PspSettings(EncodingSettings):
    """Settings of the training."""

    network: StyleEncoderSizes = StyleEncoderSizes()
    codes: StageSettings = StageSettings(steps=0)
    """First the codes of pairs alone: cheap, nothing is rendered."""
    images: StageSettings = StageSettings()
    """Then reconstructions through the generator."""


def psp_training(settings: PspSettings, device: str = "cpu", generator: Generator | None = None) -> EncoderTraining:
    """The training of one encoder: codes, then images.

    Args:
        settings: Sizes, data and stages.
        device: Where to train.
        generator: Instead of the one that the settings name.
    """
    frozen = freeze_generator(settings, device, generator)
    network = GradualStyleEncoder(settings.network.for_generator(frozen.generator.spec))
    encoder = CodeEncoder(ENCODER, network, frozen.average_latent)
    stages = [_stage("codes", settings.codes, encoder), _stage("images", settings.images, encoder)]
    return EncoderTraining(settings, frozen, Recipe(KIND, encoder, stages))


def _stage(name: str, settings: StageSettings, encoder: CodeEncoder) -> Stage:
    def losses(context: LossContext, batch: EncodingBatch, local: int) -> Mapping[str, Tensor]:
        return code_losses(context, settings, encoder.codes, batch, encoder.image_size, local)[0]

    return Stage(name, settings, encoder.network, losses)


def make_job(config: Path | None, overrides: Sequence[str], device: str) -> EncoderTraining:
    """Build the training from a YAML file (None: the shipped one) and `a.b=c` overrides."""
    return psp_training(load_config(PspSettings, config or config_path(CONFIG), overrides), device)
