"""`toolkit train e4e`: pSp's training with codes that stay near W.

toolkit train e4e --out runs/e4e
toolkit train e4e --config training/e4e-panohead --set generator_weights=panohead.safetensors --out runs/e4e
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor
from torch.nn import Module
from torch.nn.init import zeros_

from toolkit.camera import Camera
from toolkit.configuration import config_path, load_config
from toolkit.encoders import EncoderFile
from toolkit.encoders.networks.style_encoder import StyleEncoderConfig, fit_image
from toolkit.encoders.training import (
    EncodingBatch,
    EncodingSettings,
    Stage,
    StageSettings,
    StyleEncoderSizes,
    code_losses,
    encoder_inputs,
)
from toolkit.encoders.training.latent_adversary import LatentAdversaryJob, LatentAdversarySettings
from toolkit.interfaces import Code, Generator
from toolkit_plugins.e4e.encoder import STAGE_LENGTH, ProgressiveEncoder, stage_at, stage_starts
from toolkit_plugins.e4e.method import ENCODER, KIND
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


class E4eJob(LatentAdversaryJob):
    """The training of one encoder, and of its discriminator."""

    kind = KIND
    settings: E4eSettings
    network: ProgressiveEncoder

    def __init__(self, settings: E4eSettings, device: str = "cpu", generator: Generator | None = None) -> None:
        """Add when deltas join (see `EncodingJob`)."""
        super().__init__(settings, settings.latents, device, generator)
        self.starts = stage_starts(self.network.config.styles, settings.progressive_start, settings.progressive_every)

    def build(self) -> ProgressiveEncoder:
        """The encoder; deltas begin at nothing, so that none disturbs what is learnt when it joins."""
        sizes = self.settings.network.overrides()
        encoder = ProgressiveEncoder(StyleEncoderConfig.for_generator(self.generator.spec, **sizes))
        _still_deltas(encoder)
        return encoder

    def begin_from(self, file: EncoderFile) -> None:
        """From an e4e, or from a pSp, whose first style becomes w.

        Raises:
            WeightsError: It does not fit, or belongs to another generator.
            ConfigError: The file holds neither.
        """
        if file.part(ENCODER) or not file.part(PSP_ENCODER):
            super().begin_from(file)
            return
        file.check_generator(self.generator.spec)
        file.load_into(self.network, PSP_ENCODER)
        self.centre.copy_(file.centre)
        _still_deltas(self.network)

    def plan(self) -> Sequence[Stage]:
        """Codes without deltas, then images with one delta after the other."""
        settings = self.settings
        return [
            Stage("codes", settings.codes, self.network, self._code_losses),
            Stage("images", settings.images, self.network, self._image_losses, self._play),
        ]

    def _encoded(self, image: Tensor, deltas: int) -> Tensor:
        codes: Tensor = self.network(image, deltas) + self.centre
        return codes

    def _code_losses(self, batch: EncodingBatch, local: int) -> Mapping[str, Tensor]:
        deltas = 0 if self.settings.pairs.space == "z" else self.network.config.styles - 1
        side = self.network.config.image_size
        return code_losses(self, self.settings.codes, lambda image: self._encoded(image, deltas), batch, side, local)[0]

    def _image_losses(self, batch: EncodingBatch, local: int) -> Mapping[str, Tensor]:
        stage, side = stage_at(local, self.starts), self.network.config.image_size
        losses, ws = code_losses(
            self, self.settings.images, lambda image: self._encoded(image, stage), batch, side, local
        )
        if stage and self.settings.delta_weight:
            losses["delta"] = self.settings.delta_weight * delta_size(ws, stage)
        return {**losses, **self.game_term(ws, stage)}

    def _play(self, batch: EncodingBatch, local: int) -> Mapping[str, float]:
        stage, image = stage_at(local, self.starts), encoder_inputs(batch, self.network.config.image_size)
        return self.play(lambda: self._encoded(image, stage), batch.blocks, local, stage)

    def encode(self, network: ProgressiveEncoder, image: Tensor, camera: Camera) -> Code:
        """Codes with all deltas, and their planes."""
        ws = network(fit_image(image, network.config.image_size)) + self.centre
        return Code(ws, self.generator.planes(ws))

    def parts(self, network: ProgressiveEncoder) -> Mapping[str, Module]:
        """The encoder; the discriminator stays in the checkpoints."""
        return {ENCODER: network}

    def sizes(self) -> Mapping[str, Any]:
        """The encoder's."""
        return {ENCODER: dataclasses.asdict(self.network.config)}


def _still_deltas(encoder: ProgressiveEncoder) -> None:
    for name, parameter in encoder.named_parameters():
        if ".linear." in name and not name.startswith("styles.0."):
            zeros_(parameter)


def make_job(config: Path | None, overrides: Sequence[str], device: str) -> E4eJob:
    """Build the job from a YAML file (None: the shipped one) and `a.b=c` overrides."""
    return E4eJob(load_config(E4eSettings, config or config_path(CONFIG), overrides), device)
