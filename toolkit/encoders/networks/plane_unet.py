"""From images of a first inversion and its errors to better planes: the U-Nets of TriPlaneNet v1 and v2.

Bhattarai et al., "TriPlaneNet" (WACV 2024). Parameter names are those of the published files.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.encoders.networks.irse import DEEPEST, UNITS, WIDTH, ResidualTrunk
from toolkit.errors import CapabilityError, ConfigError, InputError
from toolkit.interfaces import PlaneImages

if TYPE_CHECKING:
    from toolkit.interfaces import Generator


LARGEST_SIDE = 256


@dataclass(frozen=True)
class PlaneUnetConfig:
    """Sizes of a plane U-Net; the defaults are TriPlaneNet v2's for EG3D."""

    plane_channels: int = 96
    """Channels of the planes seen as images (PanoHead: 288)."""
    head_width: int = 96
    """Hidden channels of the last layers; the published networks take as many as the planes have."""
    pixel_shuffle: bool = False
    """How maps grow: channels unfolded into pixels, or every pixel repeated."""
    in_channels: int = 9
    """Three each for the render, its error, and the mirrored error (v1: without the last)."""
    image_size: int = 256
    """Side of the input images, a multiple of 16."""
    plane_scale: int = 2
    """Side of the planes over image_size / 2 (pixel shuffle only; otherwise any planes will do)."""
    width: int = WIDTH
    units: tuple[int, ...] = UNITS[50]

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            ConfigError: An impossible value.
        """
        object.__setattr__(self, "units", tuple(self.units))  # JSON has lists
        if self.image_size < DEEPEST or self.image_size % DEEPEST:
            raise ConfigError(f"image_size must be a multiple of {DEEPEST}, got {self.image_size}")
        if min(self.plane_channels, self.head_width, self.in_channels, self.plane_scale) < 1:
            raise ConfigError("plane_channels, head_width, in_channels and plane_scale must be at least 1")
        if self.pixel_shuffle and (self.width % 2 or self.up_widths[-1] % self.plane_scale**2):
            raise ConfigError(f"width {self.width} cannot be shuffled to {self.plane_scale} times the pixels")

    @property
    def up_widths(self) -> tuple[int, int, int, int]:
        """Output channels of the four up blocks."""
        width = self.width
        if self.pixel_shuffle:
            return 8 * width, 6 * width, 4 * width, 3 * width // 2
        return 8 * width, 4 * width, 2 * width, width

    @property
    def decoded_channels(self) -> int:
        """Channels that the decoder hands to the head."""
        return self.up_widths[-1] // (self.plane_scale**2 if self.pixel_shuffle else 1)

    @classmethod
    def for_generator(cls, generator: Generator, **overrides: Any) -> PlaneUnetConfig:
        """Sizes that fit a generator's planes and image.

        Raises:
            CapabilityError: Its planes cannot be seen as images.
        """
        channels, height, width = plane_image_shape(generator)
        side = min(LARGEST_SIDE, generator.spec.image_size, 2 * max(height, width))
        side = max(DEEPEST, side // DEEPEST * DEEPEST)
        fitting = cls(
            plane_channels=channels, head_width=channels, image_size=side, plane_scale=max(1, 2 * height // side)
        )
        return dataclasses.replace(fitting, **overrides)


def plane_image_shape(generator: Generator) -> tuple[int, int, int]:
    """Channels, height and width of a generator's planes seen as images.

    Raises:
        CapabilityError: It does not offer that view.
    """
    if not isinstance(generator, PlaneImages):
        raise CapabilityError(
            f"generator {generator.spec.name!r} does not offer its planes as images, which a convolutional "
            "second stage needs"
        )
    shape = generator.as_images(torch.zeros(1, *generator.spec.planes_shape)).shape
    return int(shape[1]), int(shape[2]), int(shape[3])


class DoubleBlock(nn.Module):
    """BN and two convolutions; three PReLUs, of which the last two follow one another (as published)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Lay out the layers."""
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            nn.PReLU(outputs),
            nn.PReLU(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, inputs, H, W] to [B, outputs, H, W]."""
        result: Tensor = self.double_conv(x)
        return result


class UpBlock(nn.Module):
    """Enlarges the deep map to the skip's size and joins the two, the skip first."""

    def __init__(self, deep: int, skip: int, outputs: int, *, scale: int, pixel_shuffle: bool) -> None:
        """Lay out the block; `deep` and `skip` are the channels that come in."""
        super().__init__()
        self.enlarge: nn.Module = nn.Identity()
        if scale > 1:
            self.enlarge = nn.PixelShuffle(scale) if pixel_shuffle else nn.Upsample(scale_factor=scale, mode="nearest")
        arriving = deep // scale**2 if pixel_shuffle else deep
        self.conv = DoubleBlock(skip + arriving, outputs)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        """Map deep [B, D, h, w] and skip [B, S, scale h, scale w] to [B, outputs, scale h, scale w]."""
        result: Tensor = self.conv(torch.cat([skip, self.enlarge(deep)], dim=1))
        return result


class PlaneUnet(ResidualTrunk):
    """Trunk and four up blocks: images to a map of half their side."""

    def __init__(self, config: PlaneUnetConfig) -> None:
        """Lay out trunk and up blocks."""
        super().__init__(config.in_channels, config.width, config.units)
        self.config = config
        first, second, third, fourth = config.up_widths
        a, b, c, d = self.widths
        self.up1 = UpBlock(d, d, first, scale=1, pixel_shuffle=config.pixel_shuffle)
        self.up2 = UpBlock(first, c, second, scale=2, pixel_shuffle=config.pixel_shuffle)
        self.up3 = UpBlock(second, b, third, scale=2, pixel_shuffle=config.pixel_shuffle)
        self.up4 = UpBlock(third, a, fourth, scale=2, pixel_shuffle=config.pixel_shuffle)

    def decode(self, images: Tensor) -> Tensor:
        """Map images [B, in_channels, S, S] to [B, up_widths[-1], S/2, S/2].

        Raises:
            InputError: The images have another number of channels, or a side that is not a multiple of 16.
        """
        channels = self.config.in_channels
        if images.ndim != 4 or images.shape[1] != channels or any(side % DEEPEST for side in images.shape[2:]):
            raise InputError(
                f"this network takes images [B, {channels}, S, S] with S a multiple of {DEEPEST}, "
                f"got {list(images.shape)}"
            )
        ends = self.stage_ends
        # The first skip is the first unit of the last stage, not its end (in a stage of one unit they are the same).
        a, b, c, d, e = self.taps(images, [*ends[:3], ends[2] + 1, ends[3]])
        return self.up4(self.up3(self.up2(self.up1(e, d), c), b), a)


class PlaneOffsets(PlaneUnet):
    """TriPlaneNet v1's second stage: images to what is to be added to the planes."""

    def __init__(self, config: PlaneUnetConfig) -> None:
        """Lay out the network; it grows by pixel shuffle.

        Raises:
            ConfigError: The configuration says otherwise.
        """
        if not config.pixel_shuffle:
            raise ConfigError("the first version's second stage grows by pixel shuffle: set pixel_shuffle")
        super().__init__(config)
        self.grow = nn.PixelShuffle(config.plane_scale)
        self.final_head = head(config.decoded_channels, config)

    def forward(self, images: Tensor) -> Tensor:
        """Offsets [B, plane_channels, P, P] for images [B, in_channels, S, S], P = plane_scale * S / 2."""
        result: Tensor = self.final_head(self.grow(self.decode(images)))
        return result


class PlaneRefiner(PlaneUnet):
    """TriPlaneNet v2's second stage: images and planes to better planes."""

    def __init__(self, config: PlaneUnetConfig | None = None) -> None:
        """Lay out the network."""
        config = config or PlaneUnetConfig()
        super().__init__(config)
        self.final_head_two = head(config.plane_channels + config.decoded_channels, config)

    def begin_still(self) -> None:
        """Start a training where the planes are left as they are: the last layer puts out zeros."""
        for parameter in self.final_head_two[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, images: Tensor, planes: Tensor) -> Tensor:
        """Refine planes.

        Args:
            images: [B, in_channels, S, S]: render, its error, and the mirrored image's error.
            planes: [B, plane_channels, P, Q], seen as images.

        Returns:
            Complete planes of the same shape: the given ones plus what the network predicts.

        Raises:
            InputError: The shapes do not fit.
        """
        features = self.decode(images)
        if self.config.pixel_shuffle:
            features = F.pixel_shuffle(features, self.config.plane_scale)
            if features.shape[2:] != planes.shape[2:]:
                raise InputError(
                    f"images of side {images.shape[-1]} and plane_scale {self.config.plane_scale} make planes "
                    f"{list(features.shape[2:])}, got {list(planes.shape[2:])}"
                )
        else:
            features = F.interpolate(features, size=planes.shape[2:], mode="nearest")
        result: Tensor = planes + self.final_head_two(torch.cat([planes, features], dim=1))
        return result


def head(inputs: int, config: PlaneUnetConfig) -> nn.Sequential:
    """The last layers, from `inputs` channels to the planes'."""
    return nn.Sequential(
        nn.Conv2d(inputs, config.head_width, 3, padding=1),
        nn.PReLU(config.head_width),
        nn.Conv2d(config.head_width, config.head_width, 3, padding=1),
        nn.PReLU(config.head_width),
        nn.Conv2d(config.head_width, config.plane_channels, 1),
    )
