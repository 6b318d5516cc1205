"""From planes and the gradient of their error in the input view to better planes: learned gradient descent.

The gradient of an image error is that error brought back onto the planes by the renderer itself: it stands at the
right places from the first step on, whereas a network of images must learn where on the planes a pixel lies. Learned
gradient descent: Adler and Oktem, 2017; for images that are rendered: Flynn et al., "DeepView" (CVPR 2019).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.encoders.networks.plane_unet import plane_image_shape
from toolkit.errors import ConfigError

if TYPE_CHECKING:
    from toolkit.interfaces import Generator

STEP_SIZE = 0.3
"""A step of 1 from the network, in deviations of planes."""
INPUTS = 3
"""Per plane: its features, how far they are from where they began, and the gradient."""
_MIXED = 192
"""Hidden features of what the planes tell one another."""
_CODE_GAIN = 3.0
"""Brings offsets of codes to about one."""


@dataclass(frozen=True)
class PlaneDescentConfig:
    """Sizes of the network, and what its steps go by."""

    planes: int = 3
    channels: int = 32
    """Of one plane."""
    style_dim: int = 512
    width: int = 32
    """Channels at the planes' own side; half as many more at each halving of it."""
    steps: int = 2
    """How often planes are improved."""
    plane_scale: float = 1.0
    """Standard deviation of planes."""
    resolution: int | None = None
    """Side of the ray grid that errors are seen at; None: the generator's own."""
    perceptual: str = "pyramid"
    """A perceptual distance by name."""
    perceptual_weight: float = 0.8
    """Its weight in the error, beside the mean squared difference of pixels."""

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            ConfigError: An impossible value.
        """
        if min(self.planes, self.channels, self.style_dim, self.width, self.steps) < 1:
            raise ConfigError("planes, channels, style_dim, width and steps must be at least 1")
        if self.plane_scale <= 0 or self.perceptual_weight < 0:
            raise ConfigError("plane_scale must be above 0, and perceptual_weight at least 0")

    @classmethod
    def for_generator(cls, generator: Generator, **chosen: Any) -> PlaneDescentConfig:
        """Sizes that fit a generator's planes, seen as images.

        Raises:
            CapabilityError: They cannot be seen so.
        """
        channels = plane_image_shape(generator)[0]
        planes = generator.spec.planes_shape[0]
        if channels % planes:
            planes = 1  # its images are not one plane after the other
        fitting = cls(planes=planes, channels=channels // planes, style_dim=generator.spec.latents.w_dim)
        return dataclasses.replace(fitting, **chosen)


class PlaneDescent(nn.Module):
    """One step: planes, where they began, and the gradient of their error, to what is to be added."""

    def __init__(self, config: PlaneDescentConfig) -> None:
        """Lay out one U-Net per plane, and what joins them; the first step changes nothing."""
        super().__init__()
        self.config = config
        self.planes = nn.ModuleList(_PlaneStep(INPUTS * config.channels, config) for _ in range(config.planes))
        told = config.planes * _deepest(config) + config.style_dim + config.steps
        self.joined = nn.Sequential(
            nn.Linear(told, _MIXED), nn.SiLU(), nn.Linear(_MIXED, config.planes * _deepest(config))
        )

    def forward(self, start: Tensor, planes: Tensor, gradient: Tensor, offsets: Tensor, step: int) -> Tensor:
        """What to add to planes, all of them seen as images.

        Args:
            start: [B, K, H, W], the code's planes; K = planes * channels.
            planes: The same after the steps so far.
            gradient: The same shape: of the error, with respect to `planes`; its size does not matter.
            offsets: [B, num_ws, w_dim], the code less the average.
            step: Its number; from the last one on they are alike.
        """
        config, scale = self.config, self.config.plane_scale
        parts = (planes / scale, (planes - start) / scale, levelled(gradient))
        # every network sees its own plane: features, way so far, gradient
        given = [torch.cat(own, dim=1) for own in zip(*(part.chunk(config.planes, 1) for part in parts), strict=True)]
        networks = [cast(_PlaneStep, network) for network in self.planes]
        seen = [network.down(x) for network, x in zip(networks, given, strict=True)]
        which = F.one_hot(torch.tensor(min(step, config.steps - 1), device=planes.device), config.steps)
        told = [maps[-1].mean((2, 3)) for maps in seen]
        told += [offsets.mean(1) * _CODE_GAIN, which.to(planes.dtype).expand(len(planes), -1)]
        shifts = self.joined(torch.cat(told, dim=1)).chunk(config.planes, 1)
        found = [network.up(*each) for network, *each in zip(networks, given, seen, shifts, strict=True)]
        return torch.cat(found, dim=1) * (scale * STEP_SIZE)


class _PlaneStep(nn.Module):
    """The U-Net of one plane, at its own side, half and a quarter of it."""

    def __init__(self, inputs: int, config: PlaneDescentConfig) -> None:
        super().__init__()
        first, second, third = widths(config)
        self.enter = nn.Conv2d(inputs, first, 1)
        self.at_full, self.at_half, self.at_quarter = _Residual(first), _Residual(second), _Residual(third)
        self.to_half = nn.Conv2d(first, second, 3, stride=2, padding=1)
        self.to_quarter = nn.Conv2d(second, third, 3, stride=2, padding=1)
        self.from_quarter, self.from_half = nn.Conv2d(third, second, 1), nn.Conv2d(second, first, 1)
        self.back_at_half, self.back_at_full = _Residual(second), _Residual(first)
        self.leave = nn.Conv2d(first + inputs, config.channels, 1)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    def down(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps of x [B, inputs, H, W], each of half the side of the one before."""
        full = self.at_full(self.enter(x))
        half = self.at_half(self.to_half(full))
        return full, half, self.to_quarter(half)

    def up(self, x: Tensor, maps: tuple[Tensor, Tensor, Tensor], shift: Tensor) -> Tensor:
        """The step [B, channels, H, W]; `shift` [B, third width] says what the other planes and the code tell."""
        full, half, quarter = maps
        quarter = self.at_quarter(quarter + shift[:, :, None, None])
        half = self.back_at_half(half + _enlarged(self.from_quarter(quarter), half))
        full = self.back_at_full(full + _enlarged(self.from_half(half), full))
        result: Tensor = self.leave(torch.cat([F.silu(full), x], dim=1))
        return result


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(0.3)  # begins close to the identity

    def forward(self, x: Tensor) -> Tensor:
        return x + cast(Tensor, self.second(F.silu(self.first(F.silu(x)))))


def widths(config: PlaneDescentConfig) -> tuple[int, int, int]:
    """Channels at the planes' side, half of it and a quarter of it."""
    return config.width, config.width * 3 // 2, config.width * 2


def levelled(gradient: Tensor) -> Tensor:
    """A gradient [B, ...] over its root mean square of each row, large values compressed; sign and order stay."""
    size = gradient.square().flatten(1).mean(1).sqrt().view(-1, *[1] * (gradient.ndim - 1))
    scaled = gradient / (size + 1e-12)
    return scaled.sign() * torch.log1p(scaled.abs())


def _deepest(config: PlaneDescentConfig) -> int:
    return widths(config)[-1]


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
