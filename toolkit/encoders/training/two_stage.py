"""Training encoders of two stages: codes first, then planes mended by what the first inversion gets wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import Conv2d, Module

from toolkit.camera import Camera
from toolkit.configuration import Config
from toolkit.encoders.networks.plane_unet import PlaneRefiner, PlaneUnetConfig
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, StyleEncoderConfig
from toolkit.encoders.networks.triplanenet import TriPlaneNetV2
from toolkit.encoders.training.batches import EncodingBatch
from toolkit.encoders.training.code_losses import Reconstruction, code_losses, reconstructed
from toolkit.encoders.training.job import EncodingJob, Stage
from toolkit.encoders.training.settings import Count, EncodingSettings, StageSettings, StyleEncoderSizes
from toolkit.encoders.two_stage import FIRST, SECOND, encode_two_stage, two_stage_sizes
from toolkit.interfaces import Code


class RefinerSizes(Config):
    """Sizes of a second stage; what is not set follows from the generator, as published."""

    image_size: Annotated[int, Field(ge=16)] | None = None
    width: Count = 64
    units: tuple[int, int, int, int] = (3, 4, 14, 3)
    head_width: Count | None = None
    """Hidden channels of the last layers; None: as many as the planes have."""
    pixel_shuffle: bool = False
    plane_scale: Count | None = None

    def overrides(self) -> dict[str, object]:
        """What differs from the generator's own sizes."""
        return {key: value for key, value in self.model_dump().items() if value is not None}


class TwoStageSettings(EncodingSettings):
    """Settings of the training; stages without steps are left out (the first two when it starts from a file)."""

    network: StyleEncoderSizes = StyleEncoderSizes()
    refiner: RefinerSizes = RefinerSizes()
    view_resolution: Annotated[int, Field(ge=8)] | None = None
    """Side of the ray grid of the renders that the second stage sees; None: the generator's own."""
    codes: StageSettings = StageSettings(steps=0)
    images: StageSettings = StageSettings()
    planes: StageSettings = StageSettings()


class TwoStageJob(EncodingJob):
    """The training of one such encoder; `kind` and defaults are the derived class's."""

    settings: TwoStageSettings
    network: TriPlaneNetV2

    def build(self) -> TriPlaneNetV2:
        """Both stages; the second begins by changing nothing."""
        settings, spec = self.settings, self.generator.spec
        first = GradualStyleEncoder(StyleEncoderConfig.for_generator(spec, **settings.network.overrides()))
        second = PlaneRefiner(PlaneUnetConfig.for_generator(self.generator, **self._refiner(first.config.image_size)))
        last = second.final_head_two[-1]
        assert isinstance(last, Conv2d) and last.bias is not None  # for the type checker: nn.Sequential hides it
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)
        return TriPlaneNetV2(first, second, self.centre, settings.view_resolution)

    def _refiner(self, side: int) -> dict[str, Any]:
        """Both stages look at pictures of one size."""
        overrides = self.settings.refiner.overrides() | {"image_size": self.settings.refiner.image_size or side}
        if self.settings.refiner.pixel_shuffle and self.settings.refiner.plane_scale is None:
            height = self.generator.as_images(torch.zeros(1, *self.generator.spec.planes_shape)).shape[2]  # type: ignore[attr-defined]
            overrides["plane_scale"] = max(1, 2 * height // int(str(overrides["image_size"])))
        return overrides

    def plan(self) -> Sequence[Stage]:
        """Codes of pairs, images through the first stage, then planes."""
        settings, network = self.settings, self.network
        first = [("codes", settings.codes), ("images", settings.images)]
        stages = [self._first_stage(name, stage) for name, stage in first]
        return [*stages, Stage("planes", settings.planes, network.triplanenet_encoder, self.plane_losses)]

    def _first_stage(self, name: str, stage: StageSettings) -> Stage:
        network = self.network

        def losses(batch: EncodingBatch, local: int) -> Mapping[str, Tensor]:
            return code_losses(self, stage, network.codes, batch, network.image_size, local)[0]

        return Stage(name, stage, network.psp_encoder, losses)

    def plane_losses(self, batch: EncodingBatch, local: int) -> Mapping[str, Tensor]:
        """The second stage's losses (see `refined`)."""
        found = self.refined(batch)
        return found.losses(self, self.settings.planes, local, "smooth_l1")

    def refined(self, batch: EncodingBatch) -> Reconstruction:
        """Both stages on the batch's pictures; gradients reach the second only."""
        target, label, _ = reconstructed(batch, pairs=self.settings.planes.reconstruct_pairs)
        assert target is not None and label is not None  # a stage without photos and pairs has no batch
        camera = Camera(label)
        with torch.no_grad():
            first = self.network.first(target, camera, self.generator)
            mirrored = self.network.mirrored_view(first, camera, self.generator)
        code = self.network.second(first, mirrored, target, self.generator)
        return Reconstruction(code.planes, code.ws, target, label, batch.window)

    def encode(self, network: Any, image: Tensor, camera: Camera) -> Code:
        """Codes and mended planes; the first stage's planes until the second is trained."""
        return encode_two_stage(network, image, camera, self.generator)

    def parts(self, network: Any) -> Mapping[str, Module]:
        """Both stages."""
        return {FIRST: network.psp_encoder, SECOND: network.triplanenet_encoder}

    def sizes(self) -> Mapping[str, Any]:
        """Both stages'."""
        return two_stage_sizes(self.network)
