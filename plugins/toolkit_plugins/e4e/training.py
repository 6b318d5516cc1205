"""`toolkit train e4e`: pSp's training with codes that stay near W.

toolkit train e4e --out runs/e4e
toolkit train e4e --config training/e4e-panohead --set generator_weights=panohead.safetensors --out runs/e4e
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.init import zeros_

from toolkit.configuration import config_path, load_config
from toolkit.encoders import EncoderFile
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
    encoder_inputs,
    freeze_generator,
    take_parts,
)
from toolkit.encoders.training.latent_adversary import LatentAdversary, LatentAdversarySettings
from toolkit.interfaces import Generator
from toolkit_plugins.e4e.encoder import STAGE_LENGTH, ProgressiveEncoder, stage_at, stage_starts
from toolkit_plugins.e4e.method import ENCODER, KIND, E4eEncoder
from toolkit_plugins.e4e.objective import DELTA_WEIGHT, delta_size

CONFIG = "training/e4e"
PSP_ENCODER = "psp_encoder"
"""Name of a pSp in files: the same network."""


class E4eSettings(EncodingSettings):
    """Settings of the training."""

    network: StyleEncoderSizes = StyleEncoderSizes()
    codes: StageSettings = StageSettings(steps=0)
    """The codes of pairs alone, without deltas where pairs come from z."""
    images: StageSettings = StageSettings()
    progressive_start: Annotated[int, Field(ge=1)] = 20_000
    """Step of the images' stage at which the first delta joins."""
    progressive_every: Annotated[int, Field(ge=1)] = STAGE_LENGTH
    """Steps from one delta to the next."""
    delta_weight: Annotated[float, Field(ge=0)] = DELTA_WEIGHT
    latents: LatentAdversarySettings = LatentAdversarySettings()


@dataclass(frozen=True)
class E4eLosses:
    """What both stages minimise."""

    settings: E4eSettings
    encoder: E4eEncoder
    adversary: LatentAdversary
    starts: Sequence[int]
    """Steps of the images' stage at which 0, 1, 2 ... deltas act."""

    def codes(self, context: LossContext, batch: EncodingBatch, local: int) -> Mapping[str, Tensor]:
        """The first stage's: codes of pairs, without deltas where one w made all layers."""
        deltas = 0 if self.settings.pairs.space == "z" else self.encoder.network.config.styles - 1
        return self._code_losses(context, self.settings.codes, batch, local, deltas)[0]

    def images(self, context: LossContext, batch: EncodingBatch, local: int) -> Mapping[str, Tensor]:
        """The second stage's: images, small deltas, and codes that pass for mapped ones."""
        stage = stage_at(local, self.starts)
        losses, ws = self._code_losses(context, self.settings.images, batch, local, stage)
        if stage and self.settings.delta_weight:
            losses["delta"] = self.settings.delta_weight * delta_size(ws, stage)
        return {**losses, **self.adversary.losses(ws, stage)}

    def before(self, batch: EncodingBatch, local: int) -> Mapping[str, float]:
        """A step of the discriminator."""
        stage, image = stage_at(local, self.starts), encoder_inputs(batch, self.encoder.image_size)
        return self.adversary.learn(lambda: self.encoder.codes(image, stage), batch.blocks, local, stage)

    def _code_losses(
        self, context: LossContext, stage: StageSettings, batch: EncodingBatch, local: int, deltas: int
    ) -> tuple[dict[str, Tensor], Tensor]:
        encoder = self.encoder
        return code_losses(context, stage, lambda image: encoder.codes(image, deltas), batch, encoder.image_size, local)


def e4e_training(settings: E4eSettings, device: str = "cpu", generator: Generator | None = None) -> EncoderTraining:
    """The training of one encoder and of its discriminator: codes without deltas, then images with more and more.

    Args:
        settings: Sizes, data and stages.
        device: Where to train.
        generator: Instead of the one that the settings name.
    """
    frozen = freeze_generator(settings, device, generator)
    spec = frozen.generator.spec
    network = ProgressiveEncoder(settings.network.for_generator(spec))
    begin_without_deltas(network)
    encoder = E4eEncoder(ENCODER, network, frozen.average_latent)
    adversary = LatentAdversary(settings.latents, frozen.generator, settings.seed)
    starts = stage_starts(network.config.styles, settings.progressive_start, settings.progressive_every)
    losses = E4eLosses(settings, encoder, adversary, starts)
    stages = [
        Stage("codes", settings.codes, network, losses.codes),
        Stage("images", settings.images, network, losses.images, losses.before),
    ]

    def take_over(file: EncoderFile) -> None:
        """From an e4e, or from a pSp, whose first style becomes w."""
        if file.part(ENCODER) or not file.part(PSP_ENCODER):
            take_parts(encoder, file, spec)
            return
        file.check_generator(spec)
        file.load_into(network, PSP_ENCODER)
        with torch.no_grad():
            encoder.average_latent.copy_(file.average_latent)
        begin_without_deltas(network)

    recipe = Recipe(KIND, encoder, stages, opponents={"discriminator": adversary}, take_over=take_over)
    return EncoderTraining(settings, frozen, recipe)


def begin_without_deltas(encoder: ProgressiveEncoder) -> None:
    """Set all deltas to nothing, so that a delta that joins changes no code at first."""
    for name, parameter in encoder.named_parameters():
        if ".linear." in name and not name.startswith("styles.0."):
            zeros_(parameter)


def make_job(config: Path | None, overrides: Sequence[str], device: str) -> EncoderTraining:
    """Build the training from a YAML file (None: the shipped one) and `a.b=c` overrides."""
    return e4e_training(load_config(E4eSettings, config or config_path(CONFIG), overrides), device)
