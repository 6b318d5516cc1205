"""From an image to one style vector per layer of a generator: the feature pyramid and style blocks of pSp and e4e.

Richardson et al., "Encoding in Style" (CVPR 2021). Parameter names are those of the published files.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.encoders.networks.irse import UNITS, WIDTH, ResidualTrunk
from toolkit.errors import ConfigError, InputError
from toolkit.nn.dense import Dense

if TYPE_CHECKING:
    from toolkit.interfaces import GeneratorSpec

COARSE, MIDDLE = 3, 7
"""Styles below the first read the 1/16 map, below the second the 1/8 map, all others the 1/4 map."""
SHRINKAGE = (16, 8, 4)
"""Side of the image over the side of the map, by level."""
LARGEST_SIDE, SMALLEST_SIDE = 256, 32
SLOPE = 0.01
"""Of the leaky ReLU within style blocks."""


@dataclass(frozen=True)
class StyleEncoderConfig:
    """Sizes of a style encoder; the defaults are the published ones for 256 px backbones (EG3D, PanoHead)."""

    styles: int = 14
    """Style vectors: the generator's num_ws."""
    style_dim: int = 512
    """Their length: the generator's w_dim."""
    image_size: int = 256
    """Side of the input, a power of two."""
    width: int = WIDTH
    """Channels of the trunk's first stage."""
    units: tuple[int, ...] = UNITS[50]
    """Residual units per stage."""
    in_channels: int = 3
    block_width: int = 0
    """Channels within a style block; 0: as many as the trunk ends with (published). Most weights are there."""

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            ConfigError: An impossible value.
        """
        object.__setattr__(self, "units", tuple(self.units))  # JSON has lists
        if self.image_size < SMALLEST_SIDE or self.image_size & (self.image_size - 1):
            raise ConfigError(f"image_size must be a power of two of at least {SMALLEST_SIDE}, got {self.image_size}")
        if self.styles < 1 or self.style_dim < 1:
            raise ConfigError(f"styles and style_dim must be at least 1, got {self.styles} and {self.style_dim}")
        if self.block_width < 0:
            raise ConfigError(f"block_width must not be negative, got {self.block_width}")

    @classmethod
    def for_generator(cls, spec: GeneratorSpec, **overrides: Any) -> StyleEncoderConfig:
        """Sizes that fit a generator: its latents, and its image's side up to 256."""
        side = max(SMALLEST_SIDE, min(LARGEST_SIDE, spec.image_size))
        fitting = cls(
            styles=spec.latents.num_ws,
            style_dim=spec.latents.w_dim,
            image_size=1 << (side.bit_length() - 1),  # the power of two at or below it
        )
        return dataclasses.replace(fitting, **overrides)


class StyleBlock(nn.Module):
    """Halves a map until one pixel is left, then a dense layer: one style vector."""

    def __init__(self, channels: int, side: int, width: int, style_dim: int) -> None:
        """Lay out log2(side) convolutions, from `channels` to `width` and on."""
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(side.bit_length() - 1):
            inputs = width if index else channels
            layers += [nn.Conv2d(inputs, width, 3, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        self.convs = nn.Sequential(*layers)
        self.linear = Dense(width, style_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, channels, side, side] to [B, style_dim]."""
        result: Tensor = self.linear(self.convs(x).flatten(1))
        return result


class GradualStyleEncoder(ResidualTrunk):
    """pSp's encoder: coarse, middle and fine styles from three levels of a feature pyramid."""

    def __init__(self, config: StyleEncoderConfig | None = None) -> None:
        """Lay out trunk, pyramid and one block per style.

        Raises:
            ConfigError: An impossible size.
        """
        self.config = config = config or StyleEncoderConfig()
        super().__init__(config.in_channels, config.width, config.units)
        _, fine, middle, deep = self.widths
        self.styles = nn.ModuleList(
            StyleBlock(
                deep, config.image_size // SHRINKAGE[level_of(index)], config.block_width or deep, config.style_dim
            )
            for index in range(config.styles)
        )
        # Levels that no style reads have no weights: training then leaves none without a gradient.
        if config.styles > COARSE:
            self.latlayer1 = nn.Conv2d(middle, deep, 1)
        if config.styles > MIDDLE:
            self.latlayer2 = nn.Conv2d(fine, deep, 1)

    def levels(self, image: Tensor, count: int | None = None) -> list[Tensor]:
        """The maps that styles are read from.

        Args:
            image: [B, 3, S, S] in [-1, 1], S the configuration's image_size.
            count: How many styles will be read; levels that only others need are left out. None: all.

        Returns:
            Maps of side S/16, and S/8, S/4 as far as needed, all with 8 * width channels.

        Raises:
            InputError: The image has another size.
        """
        check_image(image, self.config.in_channels, self.config.image_size)
        count = self.config.styles if count is None else count
        _, fine, middle, deep = self.pyramid(image)
        maps = [deep]
        if count > COARSE:
            maps.append(_enlarged(deep, middle) + self.latlayer1(middle))
        if count > MIDDLE:
            maps.append(_enlarged(maps[-1], fine) + self.latlayer2(fine))
        return maps

    def forward(self, image: Tensor) -> Tensor:
        """Offsets [B, styles, style_dim] from the generator's average w, for images [B, 3, S, S] in [-1, 1]."""
        maps = self.levels(image)
        return torch.stack([block(maps[level_of(index)]) for index, block in enumerate(self.styles)], dim=1)


def level_of(style: int) -> int:
    """Which map a style is read from: 0 (1/16 of the side), 1 (1/8) or 2 (1/4)."""
    return 0 if style < COARSE else 1 if style < MIDDLE else 2


def check_image(image: Tensor, channels: int, side: int) -> None:
    """Refuse images of another size than a network was made for.

    Raises:
        InputError: The shape is not [B, channels, side, side].
    """
    if image.ndim != 4 or tuple(image.shape[1:]) != (channels, side, side):
        raise InputError(f"this encoder takes images [B, {channels}, {side}, {side}], got {list(image.shape)}")


def fit_image(image: Tensor, side: int) -> Tensor:
    """Bring images [B, C, H, W] to a side: larger ones by means over pixels, smaller ones bilinearly."""
    if image.shape[-2:] == (side, side):
        return image
    if min(image.shape[-2:]) >= side:
        return F.adaptive_avg_pool2d(image, side)
    return F.interpolate(image, size=(side, side), mode="bilinear", align_corners=False)


def codes_of(network: GradualStyleEncoder, image: Tensor, average_latent: Tensor, *arguments: Any) -> Tensor:
    """Codes [B, num_ws, w_dim]: a network's offsets for images of any size, plus the average latent.

    Args:
        network: Images [B, 3, S, S] of the side that its `config` names, to offsets.
        image: [B, 3, H, W] in [-1, 1].
        average_latent: [num_ws, w_dim].
        *arguments: What else the network takes.
    """
    offsets: Tensor = network(fit_image(image, network.config.image_size), *arguments)
    return offsets + average_latent


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=True)
