"""The two perceptual networks: pictures to maps whose plain squared distance is a perceptual distance.

Maps of several layers are brought to (nearly) unit length at every place and weighted by non-negative factors per
channel, as in LPIPS; the factors are learnt with everything else.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.data.transforms import resize

LARGEST_SIDE = 128
"""Larger pictures are reduced to this side."""
FEATURE_SCALE = 0.25
"""Deviation of a feature: near 1, KID's cubic kernel hears nothing but the farthest pairs, and its floor is noise."""
_FLOOR = 0.1
"""Mean square below which maps are not scaled up to unit length: flat places would become noise."""


class Reading(NamedTuple):
    """What a network says of pictures besides features; trains the trunk, used for nothing else."""

    facts: Tensor
    """[B, latent + 3]: the latent's numbers, then sine and cosine of the yaw and sine of the pitch."""
    shape: Tensor
    """[B, 2, S / 4, S / 4]: logit of the head's mask, and depth."""


class PerceptualNetwork(nn.Module):
    """What both have in common: unit maps, weights, distance."""

    name: str
    widths: tuple[int, ...]
    """Channels of the maps that are compared."""

    def __init__(self, facts: int) -> None:
        """Take the number of facts that the trunk is trained to tell."""
        super().__init__()
        self.weights = nn.ParameterList(torch.zeros(width) for width in self.widths)
        self.tell = nn.Sequential(nn.Linear(sum(self.widths[-2:]), 128), nn.SiLU(), nn.Linear(128, facts))
        self.show = nn.Conv2d(self.widths[2], 2, 1)

    def maps(self, image: Tensor) -> list[Tensor]:
        """Raw maps [B, C, h, w] of all layers of pictures [B, 3, S, S] in [-1, 1]; the third is S / 4 wide."""
        raise NotImplementedError

    def forward(self, image: Tensor) -> list[Tensor]:
        """The maps in the pictures' own type, whatever autocast computes in: distances are small differences."""
        return [layer.to(image.dtype) for layer in self.maps(image)]

    def embed(self, image: Tensor) -> tuple[Tensor, ...]:
        """Weighted unit maps of pictures [B, 3, H, W] in [-1, 1], one per layer."""
        if max(image.shape[-2:]) > LARGEST_SIDE:
            image = resize(image, LARGEST_SIDE)
        parts = []
        for layer, weight in zip(self(image), self.weights, strict=True):
            unit = layer * (layer.square().mean(1, keepdim=True) + _FLOOR).rsqrt()
            parts.append(unit * (F.softplus(weight) / layer.shape[1]).sqrt()[:, None, None])
        return tuple(parts)

    def distances(self, first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> Tensor:
        """Distances [B] between embeddings: over layers, the sum of the mean over places."""
        parts = [(a - b).square().sum(1).mean((1, 2)) for a, b in zip(first, second, strict=True)]
        return torch.stack(parts).sum(0)

    def distance(self, first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> Tensor:
        """Mean over images of the distance between embeddings: a scalar >= 0."""
        return self.distances(first, second).mean()

    def read(self, image: Tensor) -> Reading:
        """What the trunk tells of pictures."""
        maps = self(image)
        pooled = torch.cat([layer.mean((2, 3)) for layer in maps[-2:]], 1)
        return Reading(self.tell(pooled).to(image.dtype), self.show(maps[2]).to(image.dtype))


class PlainPerception(PerceptualNetwork):
    """For losses: convolutions of stride 2 with leaky rectifiers."""

    name = "embedded"
    widths = (16, 32, 48, 80, 112)

    def __init__(self, facts: int) -> None:
        """Take the number of facts that the trunk is trained to tell."""
        super().__init__(facts)
        strides = (1, 2, 2, 2, 2)
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, stride, 1)
            for inputs, outputs, stride in zip((3, *self.widths), self.widths, strides, strict=False)
        )

    def maps(self, image: Tensor) -> list[Tensor]:
        """Raw maps of all layers."""
        found = []
        for layer in self.layers:
            image = F.leaky_relu(layer(image), 0.2)
            found.append(image)
        return found


class DensePerception(PerceptualNetwork):
    """For scores: every layer also sees the reduced picture and the one before it; means halve the side."""

    name = "embedded-pooled"
    widths = (24, 32, 56, 72, 96)
    size = sum(widths[1:])
    """Length of a feature vector."""
    feature_mean: Tensor
    feature_spread: Tensor

    def __init__(self, facts: int) -> None:
        """Take the number of facts that the trunk is trained to tell."""
        super().__init__(facts)
        self.register_buffer("feature_mean", torch.zeros(self.size))
        self.register_buffer("feature_spread", torch.ones(self.size))
        self.stem = nn.Conv2d(3, self.widths[0], 5, 2, 2)
        self.mixers, self.spreaders = nn.ModuleList(), nn.ModuleList()
        for inputs, outputs in pairwise(self.widths):
            self.mixers.append(nn.Conv2d(inputs + 3, outputs, 3, padding=1))
            self.spreaders.append(nn.Conv2d(outputs, outputs, 3, padding=1, groups=8))

    def maps(self, image: Tensor) -> list[Tensor]:
        """Raw maps of all layers."""
        x = F.gelu(self.stem(image))
        found = [x]
        for number, (mixer, spreader) in enumerate(zip(self.mixers, self.spreaders, strict=True)):
            if number:
                x = F.avg_pool2d(x, 2)
            small = F.interpolate(image, size=x.shape[-2:], mode="area")
            mixed = F.gelu(mixer(torch.cat([x, small], 1)))
            x = mixed + F.gelu(spreader(mixed))
            found.append(x)
        return found

    def features(self, images: Tensor) -> Tensor:
        """Features [B, size] of pictures [B, 3, H, W] in [-1, 1]: means over places, each of deviation about 1/4."""
        return (self.pooled(images) - self.feature_mean) / self.feature_spread * FEATURE_SCALE

    def pooled(self, images: Tensor) -> Tensor:
        """Means over places [B, size] of all layers but the stem."""
        return torch.cat([layer.mean((2, 3)) for layer in self.maps(resize(images, LARGEST_SIDE))[1:]], 1)
