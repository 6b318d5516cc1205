"""`toolkit train psp`: an encoder into W+, learnt from pairs of known codes and from photos.

toolkit train psp --out runs/psp
toolkit train psp --config training/psp-panohead --set generator_weights=panohead.safetensors --out runs/psp
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from torch import Tensor
from torch.nn import Module

from toolkit.camera import Camera
from toolkit.configuration import config_path, load_config
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, StyleEncoderConfig, fit_image
from toolkit.encoders.training import (
    EncodingJob,
    EncodingSettings,
    Stage,
    StageSettings,
    StyleEncoderSizes,
    code_losses,
)
from toolkit.interfaces import Code
from toolkit_plugins.psp.method import ENCODER, KIND

CONFIG = "training/psp"


class PspSettings(EncodingSettings):
    """Settings of the training."""

    network: StyleEncoderSizes = StyleEncoderSizes()
    codes: StageSettings = StageSettings(steps=0)
    """First the codes of pairs alone: cheap, nothing is rendered."""
    images: StageSettings = StageSettings()
    """Then reconstructions through the generator."""


class PspJob(EncodingJob):
    """The training of one encoder."""

    kind = KIND
    settings: PspSettings

    def build(self) -> GradualStyleEncoder:
        """The encoder; its codes are offsets from the centre."""
        sizes = self.settings.network.overrides()
        return GradualStyleEncoder(StyleEncoderConfig.for_generator(self.generator.spec, **sizes))

    def plan(self) -> Sequence[Stage]:
        """Codes, then images."""
        settings = self.settings
        return [self._stage("codes", settings.codes), self._stage("images", settings.images)]

    def _stage(self, name: str, settings: StageSettings) -> Stage:
        network = cast(GradualStyleEncoder, self.network)
        side = network.config.image_size

        def losses(batch: Any, local: int) -> Mapping[str, Tensor]:
            return code_losses(self, settings, lambda image: network(image) + self.centre, batch, side, local)[0]

        return Stage(name, settings, network, losses)

    def encode(self, network: GradualStyleEncoder, image: Tensor, camera: Camera) -> Code:
        """Codes and their planes."""
        ws = network(fit_image(image, network.config.image_size)) + self.centre
        return Code(ws, self.generator.planes(ws))

    def parts(self, network: GradualStyleEncoder) -> Mapping[str, Module]:
        """The encoder."""
        return {ENCODER: network}

    def sizes(self) -> Mapping[str, Any]:
        """The encoder's."""
        return {ENCODER: dataclasses.asdict(cast(GradualStyleEncoder, self.network).config)}


def make_job(config: Path | None, overrides: Sequence[str], device: str) -> PspJob:
    """Build the job from a YAML file (None: the shipped one) and `a.b=c` overrides."""
    return PspJob(load_config(PspSettings, config or config_path(CONFIG), overrides), device)
