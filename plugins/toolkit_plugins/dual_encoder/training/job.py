"""The trainings: encoder 1, then encoder 2 with its discriminator, in one run or one by one.

toolkit train dual-encoder --out runs/dual
toolkit train encoder1 --out runs/encoder1
toolkit train encoder2 --set start=runs/encoder1/weights.safetensors --out runs/encoder2
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from toolkit.camera import Camera
from toolkit.configuration import config_path, load_config
from toolkit.encoders import EncoderFile
from toolkit.encoders.networks.plane_unet import PlaneUnetConfig, plane_image_shape
from toolkit.encoders.networks.style_encoder import StyleEncoderConfig
from toolkit.encoders.networks.triplanenet import TriPlaneNetV2
from toolkit.encoders.training import EncodingBatch, EncodingJob, Stage, StageSettings, code_losses
from toolkit.errors import CapabilityError, ConfigError
from toolkit.interfaces import Code, PlaneImages
from toolkit_plugins.dual_encoder.networks import (
    DISCRIMINATOR,
    DUAL,
    ENCODER_1,
    ENCODER_2,
    build_encoder,
    parts_of,
    sizes_of,
)
from toolkit_plugins.dual_encoder.stitching import FeatheredStitcher, stitch_planes
from toolkit_plugins.dual_encoder.training.adversary import Adversary
from toolkit_plugins.dual_encoder.training.joint import joint_losses
from toolkit_plugins.dual_encoder.training.settings import DualSettings


class DualJob(EncodingJob):
    """All three networks."""

    kind: ClassVar[str] = DUAL
    encoders: ClassVar[tuple[str, ...]] = (ENCODER_1, ENCODER_2)
    """Which of the two this training has, in order."""
    settings: DualSettings
    network: nn.ModuleDict
    adversary: Adversary | None

    def build(self) -> nn.ModuleDict:
        """The encoders by name; the discriminator, no part of what is averaged, stands beside them."""
        settings = self.settings
        first = StyleEncoderConfig.for_generator(self.generator.spec, **settings.network.overrides())
        second = PlaneUnetConfig.for_generator(self.generator, **self._refiner(first.image_size))
        self.adversary = None
        if ENCODER_2 in self.encoders and settings.adversary.domain != "none":
            self.adversary = Adversary(
                settings.adversary, self.generator, self.device, settings.seed, settings.engine.accumulate
            )
        return nn.ModuleDict(
            {
                name: build_encoder(
                    first, second, self.generator, self.centre, settings.space, settings.view_resolution
                )
                for name in self.encoders
            }
        )

    def _refiner(self, side: int) -> dict[str, Any]:
        """Both stages look at pictures of one size."""
        refiner = self.settings.refiner
        overrides: dict[str, Any] = {**refiner.overrides(), "image_size": refiner.image_size or side}
        if refiner.pixel_shuffle and refiner.plane_scale is None:
            overrides["plane_scale"] = max(1, 2 * plane_image_shape(self.generator)[1] // overrides["image_size"])
        return overrides

    def plan(self) -> Sequence[Stage]:
        """For each encoder codes, its first stage, and both stages jointly."""
        stages = []
        for name in self.encoders:
            mine = self.settings.encoder1 if name == ENCODER_1 else self.settings.encoder2
            stages += [
                self._code_stage(f"{name}/codes", name, mine.codes),
                self._code_stage(f"{name}/first", name, mine.first),
                self._joint_stage(name),
            ]
        return stages

    def _code_stage(self, title: str, name: str, settings: StageSettings) -> Stage:
        encoder = self._encoder(name)

        def losses(batch: Any, local: int) -> Mapping[str, Tensor]:
            return code_losses(self, settings, encoder.codes, batch, encoder.image_size, local)[0]

        return Stage(title, settings, encoder.psp_encoder, losses)

    def _joint_stage(self, name: str) -> Stage:
        encoder = self._encoder(name)
        settings = (self.settings.encoder1 if name == ENCODER_1 else self.settings.encoder2).joint
        adversary = self.adversary if name == ENCODER_2 else None

        def losses(batch: Any, local: int) -> Mapping[str, Tensor]:
            return joint_losses(self, encoder, settings, adversary, batch, local)

        return Stage(f"{name}/joint", settings, encoder, losses)

    def training_step(self, batch: EncodingBatch, step: int) -> Mapping[str, float]:
        """One step of the stage's encoder, and of the discriminator in encoder 2's."""
        number, local = self.batches.place(step)
        if local == 0:
            self._begin(number)
        logged = dict(super().training_step(batch, step))
        if self.adversary is not None:
            logged |= {f"{DISCRIMINATOR}/{name}": value for name, value in self.adversary.take_log().items()}
        return logged

    @torch.no_grad()
    def _begin(self, number: int) -> None:
        """Go on from the averaged weights; encoder 2 begins at encoder 1's."""
        if number == 0 and self.settings.encoder2_from == "itself":
            return
        if number:
            self.network.load_state_dict(self.average.module.state_dict())
        name = self.stages[number].name.partition("/")[0]
        first = number == 0 or not self.stages[number - 1].name.startswith(f"{name}/")
        if first and name == ENCODER_2 and ENCODER_1 in self.encoders and self.settings.encoder2_from == "encoder1":
            self.network[ENCODER_2].load_state_dict(self.network[ENCODER_1].state_dict())

    def encode(self, network: nn.ModuleDict, image: Tensor, camera: Camera) -> Code:
        """The head of a stage's encoder, or the stitched one once both have learnt."""
        codes = [self._encoder(name, network).encode(image, camera, self.generator) for name in self._shown]
        if len(codes) == 1:
            return codes[0]
        occlusion = self.settings.evaluation_mask.find(self.generator, codes[0].planes, camera)
        stitcher = FeatheredStitcher()
        return Code(codes[0].ws, stitch_planes(stitcher, self.generator, codes[0].planes, codes[1].planes, occlusion))

    def evaluate(self, step: int) -> Mapping[str, float]:
        """Scores at held-out input views of what is shown at a step."""
        self._shown = self._learnt(step)
        return super().evaluate(step)

    def sheet(self, step: int) -> np.ndarray:
        """Pictures of what has learnt at a step: the encoder, or both and the stitched heads side by side."""
        learnt = self._learnt(step)
        sheets = []
        for shown in dict.fromkeys([*((name,) for name in learnt), learnt]):
            self._shown = shown
            sheets.append(super().sheet(step))
        return np.concatenate(sheets, axis=1)

    def _learnt(self, step: int) -> tuple[str, ...]:
        """Which encoders have begun to learn after so many steps; given ones count."""
        number, _ = self.batches.place(max(0, min(step, self.steps) - 1))
        return self.encoders if self.stages[number].name.startswith(self.encoders[-1]) else self.encoders[:1]

    def parts(self, network: nn.ModuleDict) -> Mapping[str, nn.Module]:
        """The encoders' networks and the discriminator."""
        named: dict[str, nn.Module] = {}
        for name in self.encoders:
            named |= parts_of(self._encoder(name, network), f"{name}." if len(self.encoders) > 1 else "")
        if self.adversary is not None:
            named[DISCRIMINATOR] = self.adversary.discriminator
        return named

    def sizes(self) -> Mapping[str, Any]:
        """What rebuilds them."""
        named = {name: sizes_of(self._encoder(name)) for name in self.encoders}
        sizes: dict[str, Any] = named if len(named) > 1 else dict(named[self.encoders[0]])
        if self.adversary is not None:
            discriminator = self.adversary.discriminator
            sizes[DISCRIMINATOR] = {"domain": discriminator.domain, **dataclasses.asdict(discriminator.settings)}
        return sizes

    def begin_from(self, file: EncoderFile) -> None:
        """Take networks from a dual encoder's file, or from any that holds an encoder: then every encoder begins there.

        Out of a dual encoder's file encoder 2 takes encoder 1, unless `encoder2_from` is 'itself'.

        Raises:
            ConfigError: It holds none of the networks.
            WeightsError: They do not fit, or belong to another generator.
        """
        file.check_generator(self.generator.spec)
        taken = 0
        follows = self.settings.encoder2_from == "encoder1"
        for name in self.encoders:
            prefix = f"{ENCODER_1 if follows else name}." if file.kind == DUAL else ""
            for part, network in parts_of(self._encoder(name), prefix).items():
                if file.part(part):
                    file.load_into(network, part)
                    taken += 1
        if not taken:
            raise ConfigError(f"start: {file.path} holds no encoder")
        if self.adversary is not None and not follows and file.part(DISCRIMINATOR):
            file.load_into(self.adversary.discriminator, DISCRIMINATOR)
        with torch.no_grad():
            self.centre.copy_(file.centre)
            for name in self.encoders:
                self._encoder(name).centre.copy_(file.centre)

    def modules(self) -> Mapping[str, nn.Module]:
        """The encoders, and the discriminator."""
        own = dict(super().modules())
        return own if self.adversary is None else {**own, DISCRIMINATOR: self.adversary.discriminator}

    def optimisers(self) -> Mapping[str, Optimizer]:
        """One per stage, and the discriminator's."""
        own = dict(super().optimisers())
        return own if self.adversary is None else {**own, DISCRIMINATOR: self.adversary.optimiser}

    def state(self) -> Mapping[str, Any]:
        """The averages, and how far the discriminator is."""
        own = dict(super().state())
        return own if self.adversary is None else {**own, DISCRIMINATOR: self.adversary.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        super().load_state(state)
        if self.adversary is not None:
            self.adversary.load_state(state[DISCRIMINATOR])

    def images_of(self, planes: Tensor) -> Tensor:
        """Planes as images [B, K, H, W].

        Raises:
            CapabilityError: The generator cannot.
        """
        return self._look().as_images(planes)

    def planes_of(self, images: Tensor) -> Tensor:
        """Inverse of `images_of`."""
        return self._look().from_images(images)

    def _look(self) -> PlaneImages:
        if not isinstance(self.generator, PlaneImages):
            raise CapabilityError(f"generator {self.generator.spec.name!r} has planes that cannot be seen as images")
        return self.generator

    def _encoder(self, name: str, network: nn.ModuleDict | None = None) -> TriPlaneNetV2:
        found = (self.network if network is None else network)[name]
        assert isinstance(found, TriPlaneNetV2)  # for the type checker: `build` makes no others
        return found


class Encoder1Job(DualJob):
    """Encoder 1 alone."""

    kind: ClassVar[str] = ENCODER_1
    encoders: ClassVar[tuple[str, ...]] = (ENCODER_1,)


class Encoder2Job(DualJob):
    """Encoder 2 with its discriminator, alone."""

    kind: ClassVar[str] = ENCODER_2
    encoders: ClassVar[tuple[str, ...]] = (ENCODER_2,)


def make_dual_job(config: Path | None, overrides: Sequence[str], device: str) -> DualJob:
    """Build the job from a YAML file (None: the shipped one) and `a.b=c` overrides."""
    return DualJob(_settings(config, overrides), device)


def make_encoder1_job(config: Path | None, overrides: Sequence[str], device: str) -> Encoder1Job:
    """The same for encoder 1 alone."""
    return Encoder1Job(_settings(config, overrides), device)


def make_encoder2_job(config: Path | None, overrides: Sequence[str], device: str) -> Encoder2Job:
    """The same for encoder 2 alone."""
    return Encoder2Job(_settings(config, overrides, ENCODER_2), device)


def _settings(config: Path | None, overrides: Sequence[str], shipped: str = DUAL) -> DualSettings:
    return load_config(DualSettings, config or config_path(f"training/{shipped}"), overrides)
