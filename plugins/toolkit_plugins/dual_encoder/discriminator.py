"""The discriminator of the paper's Table 6: five bias-free convolutions, then the mean over all places."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.errors import CapabilityError, ConfigError, InputError, WeightsError
from toolkit.interfaces import Generator, PlaneImages
from toolkit.tensors import read_weights, write_tensors
from toolkit.weights.official import load_strictly

ARCHITECTURE = "dual-encoder-discriminator"
IMAGE_CHANNELS = 3
_KERNEL = 3
_SLOPE = 0.2
_WIDENINGS = 3


@dataclass(frozen=True)
class DiscriminatorSettings:
    """The defaults are the paper's.

    At stride 1 without pooling, a forward at 256 x 256 with 288 channels takes 113 GMAC. A stride of 2 divides that by
    about 30, pooling by 4 by 16; both give another network, so the settings travel with the weights.
    """

    width: int = 64
    """Channels after the first convolution; they double three times."""
    stride: int = 1
    """Of the first four convolutions (the paper: 1)."""
    pool: int = 1
    """Side of the windows whose mean replaces the input's entries before anything else (the paper: 1)."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: A value is below 1.
        """
        for name, value in dataclasses.asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"the discriminator's {name} must be a whole number of at least 1, got {value!r}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DiscriminatorSettings:
        """Read plain values.

        Raises:
            ConfigError: An unknown key or an impossible value.
        """
        known = [entry.name for entry in dataclasses.fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ConfigError(f"unknown discriminator setting {unknown[0]!r}; known: {', '.join(known)}")
        return cls(**values)


class OcclusionDiscriminator(nn.Module):
    """Logits [B, 1] of samples [B, K, H, W]; higher means more real. No sigmoid."""

    def __init__(
        self,
        channels: int,
        settings: DiscriminatorSettings | None = None,
        domain: Literal["planes", "images"] = "planes",
    ) -> None:
        """Draw weights.

        Args:
            channels: K.
            settings: None: the paper's.
            domain: What it scores.
        """
        super().__init__()
        self.settings = settings or DiscriminatorSettings()
        self.domain: Literal["planes", "images"] = domain
        self.channels = channels
        width, stride = self.settings.width, self.settings.stride
        layers: list[nn.Module] = [_convolution(channels, width, stride), nn.LeakyReLU(_SLOPE)]
        for _ in range(_WIDENINGS):
            layers += [_convolution(width, 2 * width, stride), nn.BatchNorm2d(2 * width), nn.LeakyReLU(_SLOPE)]
            width *= 2
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 1, _KERNEL, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Judge samples [B, K, H, W].

        Raises:
            InputError: Another number of channels, or maps that are too small for the strides.
        """
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise InputError(f"the discriminator takes [B, {self.channels}, H, W], got {list(x.shape)}")
        if self.settings.pool > 1:
            x = F.avg_pool2d(x, self.settings.pool)
        smallest = self._side_before_last(min(x.shape[-2:]))
        if smallest < _KERNEL:
            raise InputError(
                f"maps of side {min(x.shape[-2:])} are too small for a discriminator of stride {self.settings.stride}"
            )
        judged: Tensor = self.layers(x)
        return judged.mean(dim=(2, 3))

    def _side_before_last(self, side: int) -> int:
        for _ in range(1 + _WIDENINGS):
            side = (side - 1) // self.settings.stride + 1
        return side


def count_plane_channels(generator: Generator) -> int:
    """Channels K of a generator's planes seen as images [B, K, H, W].

    Raises:
        CapabilityError: They cannot be seen so.
    """
    if not isinstance(generator, PlaneImages):
        raise CapabilityError(
            f"a discriminator of planes needs a generator whose planes are images; {generator.spec.name!r}'s are not"
        )
    blank = torch.empty(1, *generator.spec.planes_shape, device="meta")
    return generator.as_images(blank).shape[1]


def open_plane_discriminator(
    generator: Generator, weights: Path | None = None, *, width: int = 64, stride: int = 1, pool: int = 1
) -> OcclusionDiscriminator:
    """A discriminator for a generator's planes as images, masked by the occlusion before they come here.

    Args:
        generator: Decides the number of channels.
        weights: A file written by `save`, whose settings then count; None draws weights.
        width: Channels after the first convolution (see `DiscriminatorSettings`, as the next two).
        stride: Of the first four convolutions.
        pool: Side of the windows whose mean replaces the input's entries.

    Raises:
        CapabilityError: The planes cannot be seen as images.
        ConfigError: A size is below 1.
        WeightsError: The file is missing, damaged or of another kind.
    """
    return _open(count_plane_channels(generator), "planes", weights, DiscriminatorSettings(width, stride, pool))


def open_image_discriminator(
    generator: Generator, weights: Path | None = None, *, width: int = 64, stride: int = 1, pool: int = 1
) -> OcclusionDiscriminator:
    """The same for images [B, 3, S, S] of any size; arguments and errors as `open_plane_discriminator`."""
    del generator  # images of every generator have three channels
    return _open(IMAGE_CHANNELS, "images", weights, DiscriminatorSettings(width, stride, pool))


def save(discriminator: OcclusionDiscriminator, path: str | Path, metadata: Mapping[str, Any] | None = None) -> None:
    """Write weights and settings to a safetensors file, atomically.

    Raises:
        OutputError: The place cannot be written.
    """
    header = {
        **(metadata or {}),
        "architecture": ARCHITECTURE,
        "domain": discriminator.domain,
        "config": dataclasses.asdict(discriminator.settings),
    }
    tensors = {name: value.detach().float() for name, value in discriminator.state_dict().items()}
    write_tensors(path, tensors, header)


def _open(
    channels: int, domain: Literal["planes", "images"], weights: Path | None, settings: DiscriminatorSettings | None
) -> OcclusionDiscriminator:
    if weights is None:
        return OcclusionDiscriminator(channels, settings, domain)
    tensors, header = read_weights(weights)
    if header.get("architecture") != ARCHITECTURE or header.get("domain") != domain or "config" not in header:
        raise WeightsError(f"{weights} does not hold a discriminator of {domain}")
    built = OcclusionDiscriminator(channels, DiscriminatorSettings.from_dict(header["config"]), domain)
    load_strictly(built, tensors, str(weights))
    return built.eval()


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, _KERNEL, stride=stride, padding=1, bias=False)
