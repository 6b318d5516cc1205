"""Perceptual distance of image pairs: LPIPS with any network that embeds images as feature maps."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from toolkit.data.transforms import resize
from toolkit.devices import moved_to
from toolkit.interfaces.metric import Direction
from toolkit.metrics.images import at_compared_size, region_mean
from toolkit.metrics.remembered import REMEMBERED
from toolkit.metrics.state import MeanMetric


class FeatureMaps(Protocol):
    """Embeds images so that LPIPS is the plain squared distance of the maps, averaged over places."""

    def embed(self, image: Tensor) -> tuple[Tensor, ...]:
        """Images [B, 3, H, W] in [-1, 1] to maps [B, C, h, w], one per layer, unit length times calibration."""
        ...


def perceptual_distance(first: tuple[Tensor, ...], second: tuple[Tensor, ...], region: Tensor | None = None) -> Tensor:
    """LPIPS per image [B] between embeddings: over layers, the sum of the mean over places.

    Args:
        first: Maps [B, C, h, w] per layer.
        second: The same of the other images.
        region: [B or 1, 1, H, W] weights; each layer's distances are resized to it before they are averaged.
    """
    parts = []
    for a, b in zip(first, second, strict=True):
        places = (a - b).square().sum(1, keepdim=True)
        if region is not None:
            places = torch.nn.functional.interpolate(places, region.shape[-2:], mode="bilinear", align_corners=False)
        parts.append(region_mean(places, region))
    return torch.stack(parts).sum(0)


class PerceptualMetric(MeanMetric):
    """LPIPS's distance on any network; the name says which, because values of two networks cannot be compared."""

    direction: Direction = "lower"
    takes = "images"

    def __init__(self, network: FeatureMaps, name: str, backend: str, smallest: int = 0) -> None:
        """Take a network.

        Args:
            network: What embeds.
            name: Of the metric; it says the network (`lpips_lite`).
            backend: 'reference' or 'embedded'.
            smallest: Side in pixels that smaller images are enlarged to (deep trunks cannot embed tiny ones).
        """
        super().__init__()
        self.name, self.backend = name, backend
        self._network, self._smallest = network, smallest

    def score(self, image: Tensor, target: Tensor, region: Tensor | None = None) -> Tensor:
        """Distances [B] of the embeddings, over the region where one is given; small pictures are enlarged first."""
        image, target, region = at_compared_size(image, target, region)
        if image.shape[-1] < self._smallest:
            image, target = resize(image, self._smallest), resize(target, self._smallest)
            region = None if region is None else resize(region, self._smallest)
        moved_to(self._network, image.device)
        first, second = (REMEMBERED.rows(self._network, each, self._network.embed) for each in (image, target))
        return perceptual_distance(first, second, region)
