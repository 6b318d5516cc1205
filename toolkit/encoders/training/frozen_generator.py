"""The generator that an encoder is trained for, with what every training needs to know of its codes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Module

from toolkit import load_generator
from toolkit.encoders.training.settings import EncodingSettings
from toolkit.interfaces import Generator
from toolkit.latents import latent_statistics
from toolkit.training.resumed_generator import check_generator


@dataclass(frozen=True)
class FrozenGenerator:
    """A generator in eval mode that takes no gradients."""

    generator: Generator
    average_latent: Tensor
    """[num_ws, w_dim], the mean of ws over random heads."""
    deviation: float
    """Standard deviation of one number of w."""


def freeze_generator(
    settings: EncodingSettings, device: torch.device | str, generator: Generator | None = None
) -> FrozenGenerator:
    """Open a training's generator; then seed torch, so that networks laid out next get the seed's weights.

    Args:
        settings: Name and weights of the generator, heads to average over, seed.
        device: Where to train.
        generator: Instead of the one that the settings name; is frozen.

    Raises:
        PluginError: Unknown generator.
        WeightsError: Its weights are missing or damaged.
        TrainingError: A run is resumed that was trained for another generator.
    """
    if generator is None:
        generator = load_generator(settings.generator, settings.generator_weights, str(device))
    check_generator(generator.spec.name, generator.spec.fingerprint)
    if isinstance(generator, Module):
        generator.eval().requires_grad_(False)
    statistics = latent_statistics(generator, samples=settings.samples)
    deviation = statistics.spread / math.sqrt(generator.spec.latents.w_dim)
    torch.manual_seed(settings.seed)
    return FrozenGenerator(generator, statistics.average[0], deviation)
