"""`toolkit train goae`: the code's encoder first, then the alignment of features to what the code gets wrong.

    toolkit train goae --out runs/goae
    toolkit train goae --config training/goae-panohead --set generator_weights=panohead.safetensors --out runs/goae

The published training also has a term on the background's depth, whose form is not public; it is left out.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from toolkit.camera import Camera
from toolkit.configuration import Config, config_path, load_config
from toolkit.encoders.networks.irse import ResidualUnit
from toolkit.encoders.training import (
    EncoderTraining,
    EncodingBatch,
    EncodingSettings,
    FrozenGenerator,
    LossContext,
    Recipe,
    Reconstruction,
    Stage,
    StageSettings,
    code_losses,
    encoder_inputs,
    freeze_generator,
    reconstructed,
)
from toolkit.encoders.training.latent_adversary import LatentAdversary, LatentAdversarySettings
from toolkit.interfaces import Generator
from toolkit_plugins.goae.alignment import FeatureAlignment
from toolkit_plugins.goae.encoder import LEVELS, GoaeEncoder
from toolkit_plugins.goae.files import KIND
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


@dataclass(frozen=True)
class GoaeLosses:
    """What the three stages minimise."""

    settings: GoaeSettings
    encoder: GoaeReconstruction
    adversary: LatentAdversary

    def codes(self, context: LossContext, batch: EncodingBatch, local: int) -> Mapping[str, Tensor]:
        """Codes of pairs; those from z have one w for all layers, so that no offsets are needed."""
        with self._offsets(0 if self.settings.pairs.space == "z" else len(LEVELS)):
            return code_losses(context, self.settings.codes, self.encoder.codes, batch, self._side, local)[0]

    def images(self, context: LossContext, batch: EncodingBatch, local: int) -> Mapping[str, Tensor]:
        """Images through the code, and codes that pass for mapped ones."""
        with self._offsets(self._level(local)):
            losses, ws = code_losses(context, self.settings.images, self.encoder.codes, batch, self._side, local)
        return {**losses, **self.adversary.losses(ws)}

    def before(self, batch: EncodingBatch, local: int) -> Mapping[str, float]:
        """A step of the discriminator, on the codes that score the encoder."""
        image = encoder_inputs(batch, self._side)
        with self._offsets(self._level(local)):
            return self.adversary.learn(lambda: self.encoder.codes(image), batch.blocks, local)

    def alignment(self, context: LossContext, batch: EncodingBatch, local: int) -> Mapping[str, Tensor]:
        """Images through the aligned features; gradients reach the alignment only."""
        target, label, _ = reconstructed(batch, pairs=self.settings.alignment.reconstruct_pairs)
        assert target is not None and label is not None  # a stage without photos and pairs has no batch
        with torch.no_grad():
            first = self.encoder.first(self.encoder.codes(target), Camera(label), context.generator)
        planes = self.encoder.aligned(first, target, context.generator)
        found = Reconstruction(planes, first.ws, target, label, batch.window)
        return found.losses(context, self.settings.alignment, local, "smooth_l1")

    @property
    def _side(self) -> int:
        return self.encoder.encoder.settings.swin.image_size

    def _level(self, local: int) -> int:
        return sum(local > start for start in self.settings.levels)

    @contextlib.contextmanager
    def _offsets(self, level: int) -> Iterator[None]:
        """Offsets of so many of the levels are added to codes; all of them afterwards."""
        self.encoder.encoder.stage = level
        try:
            yield
        finally:
            self.encoder.encoder.stage = len(LEVELS)


def goae_training(settings: GoaeSettings, device: str = "cpu", generator: Generator | None = None) -> EncoderTraining:
    """The training of both networks and of the code's discriminator: codes of pairs, images, then the alignment.

    Args:
        settings: Sizes, data and stages.
        device: Where to train.
        generator: Instead of the one that the settings name.

    Raises:
        CapabilityError: The generator's synthesis cannot be resumed.
    """
    frozen = freeze_generator(settings, device, generator)
    encoder = lay_out_networks(settings, frozen)
    adversary = LatentAdversary(settings.latents, frozen.generator, settings.seed)
    losses = GoaeLosses(settings, encoder, adversary)
    stages = [
        Stage("codes", settings.codes, encoder.encoder, losses.codes),
        Stage("images", settings.images, encoder.encoder, losses.images, losses.before),
        Stage("alignment", settings.alignment, encoder.alignment, losses.alignment),
    ]
    opponents, blocks = {"discriminator": adversary}, (ResidualUnit, SwinBlock)
    return EncoderTraining(settings, frozen, Recipe(KIND, encoder, stages, opponents=opponents, big_blocks=blocks))


def lay_out_networks(settings: GoaeSettings, frozen: FrozenGenerator) -> GoaeReconstruction:
    """Both networks with random weights; the code's offsets and the alignment begin by changing next to nothing."""
    fitted = fit_encoder(frozen.generator, SwinSettings(**settings.swin.model_dump()))
    encoder = GoaeEncoder(dataclasses.replace(fitted, dropout=settings.dropout))
    encoder.begin_still()
    sizes = fit_alignment(frozen.generator, settings.feature_size, settings.alignment_width)
    alignment = FeatureAlignment(dataclasses.replace(sizes, dropout=settings.dropout))
    alignment.begin_still()
    return GoaeReconstruction(
        encoder,
        alignment,
        frozen.average_latent,
        feature_size=settings.feature_size,
        mixing=settings.mixing,
        resolution=settings.mask_resolution,
        view_resolution=settings.view_resolution,
    )


def make_job(config: Path | None, overrides: Sequence[str], device: str) -> EncoderTraining:
    """Build the training from a YAML file (None: the shipped one) and `a.b=c` overrides."""
    return goae_training(load_config(GoaeSettings, config or config_path(CONFIG), overrides), device)
