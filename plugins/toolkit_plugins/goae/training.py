"""`toolkit train goae`: the code's encoder first, then the alignment of features to what the code gets wrong.

    toolkit train goae --out runs/goae
    toolkit train goae --config training/goae-panohead --set generator_weights=panohead.safetensors --out runs/goae

The published training also has a term on the background's depth, whose form is not public; it is left out.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import Module

from toolkit.camera import Camera
from toolkit.configuration import Config, config_path, load_config
from toolkit.encoders import EncoderFile
from toolkit.encoders.networks.irse import ResidualUnit
from toolkit.encoders.training import (
    EncodingBatch,
    EncodingSettings,
    Reconstruction,
    Stage,
    StageSettings,
    code_losses,
    encoder_inputs,
    reconstructed,
)
from toolkit.encoders.training.latent_adversary import LatentAdversaryJob, LatentAdversarySettings
from toolkit.interfaces import Code, Generator
from toolkit_plugins.goae.alignment import FeatureAlignment
from toolkit_plugins.goae.encoder import LEVELS, GoaeEncoder
from toolkit_plugins.goae.files import ALIGNMENT, ENCODER, KIND, goae_sizes
from toolkit_plugins.goae.fitting import FEATURE_SIZE, fit_alignment, fit_encoder
from toolkit_plugins.goae.reconstruction import GoaeReconstruction, Mixing
from toolkit_plugins.goae.swin_v2 import SwinBlock, SwinSettings

CONFIG = "training/goae"

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]


class SwinSizes(Config):
    """Sizes of the trunk; the defaults are the published ones."""

    image_size: Count = 256
    patch: Count = 4
    width: Count = 128
    depths: tuple[int, int, int, int] = (2, 2, 18, 2)
    heads: tuple[int, int, int, int] = (4, 8, 16, 32)
    window: Count = 16
    pretrained_windows: tuple[int, int, int, int] = (12, 12, 12, 6)
    drop_path: Share = 0.2


class GoaeSettings(EncodingSettings):
    """Settings of the training; both stages are published, their lengths are not."""

    swin: SwinSizes = SwinSizes()
    dropout: Share = 0.1
    """In all cross attention."""
    feature_size: Count = FEATURE_SIZE
    """Side of the generator's features that are aligned."""
    alignment_width: Count = 64
    view_resolution: Annotated[int, Field(ge=8)] | None = None
    """Side of the ray grid of the first reconstruction; None: the generator's own."""
    mixing: Mixing = "footprint"
    mask_resolution: Count = 256
    """Side of the ray grid that the mix looks through."""
    codes: StageSettings = StageSettings(steps=0)
    images: StageSettings = StageSettings()
    alignment: StageSettings = StageSettings()
    levels: tuple[int, int, int] = (10_000, 20_000, 30_000)
    """Steps of the images' stage after which coarse, mid and fine offsets join."""
    latents: LatentAdversarySettings = LatentAdversarySettings()


class GoaeJob(LatentAdversaryJob):
    """The training of both networks, and of the code's discriminator."""

    kind = KIND
    big_blocks = (ResidualUnit, SwinBlock)
    settings: GoaeSettings
    network: GoaeReconstruction

    def __init__(self, settings: GoaeSettings, device: str = "cpu", generator: Generator | None = None) -> None:
        """Lay out both networks and the discriminator (see `EncodingJob`)."""
        super().__init__(settings, settings.latents, device, generator)

    def build(self) -> GoaeReconstruction:
        """Both networks; the code's offsets and the alignment begin by changing next to nothing."""
        settings = self.settings
        fitted = fit_encoder(self.generator, SwinSettings(**settings.swin.model_dump()))
        encoder = GoaeEncoder(dataclasses.replace(fitted, dropout=settings.dropout))
        encoder.begin_still()
        sizes = fit_alignment(self.generator, settings.feature_size, settings.alignment_width)
        alignment = FeatureAlignment(dataclasses.replace(sizes, dropout=settings.dropout))
        alignment.begin_still()
        return GoaeReconstruction(
            encoder,
            alignment,
            self.centre[None],
            feature_size=settings.feature_size,
            mixing=settings.mixing,
            resolution=settings.mask_resolution,
            view_resolution=settings.view_resolution,
        )

    def begin_from(self, file: EncoderFile) -> None:
        """Take over networks and centre."""
        super().begin_from(file)
        self.network.mean_ws.copy_(self.centre[None])

    def plan(self) -> Sequence[Stage]:
        """Codes of pairs, images through the code, then the alignment."""
        settings, network = self.settings, self.network
        return [
            Stage("codes", settings.codes, network.encoder, self._code_losses),
            Stage("images", settings.images, network.encoder, self._image_losses, self._play),
            Stage("alignment", settings.alignment, network.alignment, self._alignment_losses),
        ]

    @property
    def _side(self) -> int:
        return self.network.encoder.settings.swin.image_size

    def _code_losses(self, batch: EncodingBatch, local: int) -> Mapping[str, Tensor]:
        """Pairs from z have one w for all layers: no offsets are needed."""
        with self._offsets(0 if self.settings.pairs.space == "z" else len(LEVELS)):
            losses, _ = code_losses(self, self.settings.codes, self.network.codes, batch, self._side, local)
        return losses

    def _image_losses(self, batch: EncodingBatch, local: int) -> Mapping[str, Tensor]:
        with self._offsets(self._level(local)):
            losses, ws = code_losses(self, self.settings.images, self.network.codes, batch, self._side, local)
        return {**losses, **self.game_term(ws)}

    def _play(self, batch: EncodingBatch, local: int) -> Mapping[str, float]:
        """The discriminator is shown the codes that the encoder is judged by."""
        image = encoder_inputs(batch, self._side)
        with self._offsets(self._level(local)):
            return self.play(lambda: self.network.codes(image), batch.blocks, local)

    def _level(self, local: int) -> int:
        return sum(local > start for start in self.settings.levels)

    @contextlib.contextmanager
    def _offsets(self, level: int) -> Iterator[None]:
        """Offsets of so many of the levels are added to codes; all of them afterwards."""
        self.network.encoder.stage = level
        try:
            yield
        finally:
            self.network.encoder.stage = len(LEVELS)

    def _alignment_losses(self, batch: EncodingBatch, local: int) -> Mapping[str, Tensor]:
        target, label, _ = reconstructed(batch, pairs=self.settings.alignment.reconstruct_pairs)
        assert target is not None and label is not None  # a stage without photos and pairs has no batch
        with torch.no_grad():
            first = self.network.first(self.network.codes(target), Camera(label), self.generator)
        planes = self.network.aligned(first, target, self.generator)
        found = Reconstruction(planes, first.ws, target, label, batch.window)
        return found.losses(self, self.settings.alignment, local, "smooth_l1")

    def encode(self, network: Any, image: Tensor, camera: Camera) -> Code:
        """Codes and mixed planes: what GOAE is scored on."""
        code: Code = network.encode(image, camera, self.generator)
        return code

    def parts(self, network: Any) -> Mapping[str, Module]:
        """Both networks."""
        return {ENCODER: network.encoder, ALIGNMENT: network.alignment}

    def sizes(self) -> Mapping[str, Any]:
        """Both networks', and how planes are mixed."""
        return goae_sizes(self.network)


def make_job(config: Path | None, overrides: Sequence[str], device: str) -> GoaeJob:
    """Build the job from a YAML file (None: the shipped one) and `a.b=c` overrides."""
    return GoaeJob(load_config(GoaeSettings, config or config_path(CONFIG), overrides), device)
