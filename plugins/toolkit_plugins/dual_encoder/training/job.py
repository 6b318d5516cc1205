"""The trainings: encoder 1, then encoder 2 with its discriminator, in one run or one by one.

toolkit train dual-encoder --out runs/dual
toolkit train encoder1 --out runs/encoder1
toolkit train encoder2 --set start=runs/encoder1/weights.safetensors --out runs/encoder2
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.configuration import config_path, load_config
from toolkit.encoders import DescentEncoder, EncoderFile
from toolkit.encoders.networks.plane_descent import PlaneDescent
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder
from toolkit.encoders.training import (
    EncoderTraining,
    EncodingBatch,
    FrozenGenerator,
    LossContext,
    Recipe,
    Stage,
    StageSettings,
    code_losses,
    freeze_generator,
)
from toolkit.encoders.training.named_parts import open_stitcher
from toolkit.errors import ConfigError
from toolkit.interfaces import Encoder, Generator, TrainableEncoder
from toolkit_plugins.dual_encoder.networks import (
    DUAL,
    ENCODER_1,
    ENCODER_2,
    AnyEncoder,
    DualEncoder,
    lay_out_encoder,
)
from toolkit_plugins.dual_encoder.training.adversary import Adversary
from toolkit_plugins.dual_encoder.training.descending import descending_losses, reaches_codes
from toolkit_plugins.dual_encoder.training.joint import joint_losses
from toolkit_plugins.dual_encoder.training.settings import DualSettings, EncoderStages, JointSettings

DISCRIMINATOR = "discriminator"
"""Its name in checkpoints, logs and files."""


def dual_training(settings: DualSettings, device: str = "cpu", generator: Generator | None = None) -> EncoderTraining:
    """The training of both encoders and of the discriminator.

    Args:
        settings: Sizes, data and stages.
        device: Where to train.
        generator: Instead of the one that the settings name.

    Raises:
        CapabilityError: The generator's planes cannot be seen as images, or it does not know its footprint.
    """
    return _training(DUAL, (ENCODER_1, ENCODER_2), settings, device, generator)


def encoder1_training(
    settings: DualSettings, device: str = "cpu", generator: Generator | None = None
) -> EncoderTraining:
    """The training of encoder 1 alone (arguments and errors as `dual_training`)."""
    return _training(ENCODER_1, (ENCODER_1,), settings, device, generator)


def encoder2_training(
    settings: DualSettings, device: str = "cpu", generator: Generator | None = None
) -> EncoderTraining:
    """The training of encoder 2 and its discriminator alone (arguments and errors as `dual_training`)."""
    return _training(ENCODER_2, (ENCODER_2,), settings, device, generator)


def _training(
    kind: str, names: Sequence[str], settings: DualSettings, device: str, generator: Generator | None
) -> EncoderTraining:
    frozen = freeze_generator(settings, device, generator)
    adversary = None
    if ENCODER_2 in names and settings.adversary.discriminator != "none":
        adversary = Adversary(settings.adversary, frozen.generator, settings.seed, settings.engine.accumulate)
    singles = {name: _lay_out(settings, frozen) for name in names}
    encoder: TrainableEncoder = next(iter(singles.values()))
    if len(singles) > 1:
        stitcher = open_stitcher(settings.stitcher)
        encoder = DualEncoder(singles[ENCODER_1], singles[ENCODER_2], stitcher, settings.evaluation_mask)
    stages = [
        stage
        for name, single in singles.items()
        for stage in _stages(name, single, settings, adversary if name == ENCODER_2 else None)
    ]
    recipe = Recipe(
        kind,
        encoder,
        _beginning_at_averages(stages, encoder, settings),
        opponents={} if adversary is None else {DISCRIMINATOR: adversary},
        take_over=_taker(singles, adversary, settings, frozen),
        shown=_shown,
        also_stored={} if adversary is None else {DISCRIMINATOR: (adversary.discriminator, adversary.described())},
    )
    return EncoderTraining(settings, frozen, recipe)


def _lay_out(settings: DualSettings, frozen: FrozenGenerator) -> AnyEncoder:
    first = settings.network.for_generator(frozen.generator.spec)
    if settings.descent is not None:
        scale = float(frozen.generator.planes(frozen.average_latent[None]).std())
        steps = PlaneDescent(settings.descent.for_generator(frozen.generator, scale))
        return DescentEncoder(GradualStyleEncoder(first), steps, frozen.average_latent)
    second = settings.refiner.for_generator(frozen.generator, first.image_size)
    return lay_out_encoder(
        first, second, frozen.generator, frozen.average_latent, settings.space, settings.view_resolution
    )


def _stages(name: str, encoder: AnyEncoder, settings: DualSettings, adversary: Adversary | None) -> list[Stage]:
    """Codes, the first stage alone, and both stages jointly."""
    mine: EncoderStages = settings.encoder1 if name == ENCODER_1 else settings.encoder2

    def joint(context: LossContext, batch: EncodingBatch, local: int) -> Mapping[str, Tensor]:
        if isinstance(encoder, DescentEncoder):
            return descending_losses(context, encoder, mine.joint, adversary, batch)
        return joint_losses(context, encoder, mine.joint, adversary, batch, local)

    return [
        Stage(f"{name}/codes", mine.codes, encoder.psp_encoder, _code_losses(encoder, mine.codes)),
        Stage(f"{name}/first", mine.first, encoder.psp_encoder, _code_losses(encoder, mine.first)),
        Stage(f"{name}/joint", mine.joint, _learning(encoder, mine.joint), joint),
    ]


def _learning(encoder: AnyEncoder, stage: JointSettings) -> nn.Module:
    """What a joint stage trains: both networks, or the steps alone where no term reaches the code."""
    if isinstance(encoder, DescentEncoder) and not reaches_codes(stage):
        return encoder.descent
    return encoder


def _code_losses(
    encoder: AnyEncoder, settings: StageSettings
) -> Callable[[LossContext, EncodingBatch, int], Mapping[str, Tensor]]:
    def losses(context: LossContext, batch: EncodingBatch, local: int) -> Mapping[str, Tensor]:
        return code_losses(context, settings, encoder.codes, batch, encoder.image_size, local)[0]

    return losses


def _beginning_at_averages(stages: Sequence[Stage], encoder: Any, settings: DualSettings) -> list[Stage]:
    """Every stage starts from the averaged weights; encoder 2's first stage starts from encoder 1's, if so set."""
    found, active = [], [stage for stage in stages if stage.settings.steps]
    first_of_two = next((stage for stage in active if stage.name.startswith(ENCODER_2)), None)
    copies = isinstance(encoder, DualEncoder) and settings.encoder2_from == "encoder1"
    for stage in active:
        begin = _beginner(encoder, copy=copies and stage is first_of_two)
        found.append(dataclasses.replace(stage, begin=begin))
    return found


def _beginner(encoder: Any, *, copy: bool) -> Callable[[nn.Module | None], None]:
    @torch.no_grad()
    def begin(averaged: nn.Module | None) -> None:
        if averaged is not None:
            encoder.load_state_dict(averaged.state_dict())
        if copy:
            encoder.occluded.load_state_dict(encoder.visible.state_dict())

    return begin


def _taker(
    singles: Mapping[str, AnyEncoder], adversary: Adversary | None, settings: DualSettings, frozen: FrozenGenerator
) -> Callable[[EncoderFile], None]:
    """How the networks of a file are taken over."""

    def take_over(file: EncoderFile) -> None:
        """From a dual encoder's file, or from any that holds an encoder: then every encoder begins there.

        Out of a dual encoder's file encoder 2 takes encoder 1, unless `encoder2_from` is 'itself'.

        Raises:
            ConfigError: It holds none of the networks.
            WeightsError: They do not fit, or belong to another generator.
        """
        file.check_generator(frozen.generator.spec)
        taken, follows = 0, settings.encoder2_from == "encoder1"
        for name, encoder in singles.items():
            prefix = f"{ENCODER_1 if follows else name}." if file.kind == DUAL else ""
            for part, network in encoder.parts().items():
                if file.part(prefix + part):
                    file.load_into(network, prefix + part)
                    taken += 1
        if not taken:
            raise ConfigError(f"start: {file.path} holds no encoder")
        if adversary is not None and not follows and file.part(DISCRIMINATOR):
            file.load_into(adversary.discriminator, DISCRIMINATOR)
        with torch.no_grad():
            for encoder in singles.values():
                encoder.average_latent.copy_(file.average_latent)

    return take_over


def _shown(encoder: Any, stage: str) -> Sequence[Encoder]:
    """An encoder alone; of two the first until the second begins, then each of them and the stitched heads."""
    if not isinstance(encoder, DualEncoder):
        return (encoder,)
    return (encoder.visible, encoder.occluded, encoder) if stage.startswith(ENCODER_2) else (encoder.visible,)


def make_dual_job(config: Path | None, overrides: Sequence[str], device: str) -> EncoderTraining:
    """Build the training from a YAML file (None: the shipped one) and `a.b=c` overrides."""
    return dual_training(_settings(config, overrides), device)


def make_encoder1_job(config: Path | None, overrides: Sequence[str], device: str) -> EncoderTraining:
    """The same for encoder 1 alone."""
    return encoder1_training(_settings(config, overrides), device)


def make_encoder2_job(config: Path | None, overrides: Sequence[str], device: str) -> EncoderTraining:
    """The same for encoder 2 alone."""
    return encoder2_training(_settings(config, overrides, ENCODER_2), device)


def _settings(config: Path | None, overrides: Sequence[str], shipped: str = DUAL) -> DualSettings:
    return load_config(DualSettings, config or config_path(f"training/{shipped}"), overrides)
