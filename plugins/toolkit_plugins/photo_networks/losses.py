"""The perceptual distance for losses: LPIPS without calibration, on EfficientNet-Lite0."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from toolkit.data.transforms import resize
from toolkit.errors import ConfigError
from toolkit_plugins.photo_networks.lite import SMALLEST, EfficientNetLite, unit_maps


class LiteDistance(nn.Module):
    """Squared distance of unit maps, mean over places and over five depths: 0 to 4."""

    name = "lite0"

    def __init__(self) -> None:
        """Read the network.

        Raises:
            MissingDependencyError: A package that it needs is not installed.
        """
        super().__init__()
        self.network = EfficientNetLite("lite0")

    def embed(self, image: Tensor) -> tuple[Tensor, ...]:
        """Unit maps of images [B, 3, S, S] in [-1, 1], at the size they come in but of 32 px at least."""
        if min(image.shape[-2:]) < SMALLEST:
            image = resize(image, SMALLEST)
        return unit_maps(self.network.maps(image))

    def distance(self, first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> Tensor:
        """Mean over images of the distance, a scalar >= 0."""
        squares = [(a - b).square().sum(1).mean((1, 2)) for a, b in zip(first, second, strict=True)]
        return torch.stack(squares).sum(0).mean()


def open_lite0(trunk: Path | None = None) -> LiteDistance:
    """The perceptual distance `lite0`.

    Raises:
        ConfigError: A trunk is named: this network has all its weights.
        MissingDependencyError: A package that it needs is not installed.
    """
    if trunk is not None:
        raise ConfigError(f"perceptual distance 'lite0' has its own weights and takes no trunk, got {trunk}")
    return LiteDistance()
