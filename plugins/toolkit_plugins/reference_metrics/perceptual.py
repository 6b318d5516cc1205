"""LPIPS as a metric, by the `lpips` package."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from toolkit.data.transforms import resize
from toolkit.metrics import MeanMetric
from toolkit.metrics.images import at_compared_size, region_mean

_SMALLEST = 64
"""Side in pixels that smaller images are enlarged to: of tiny ones pooling leaves nothing for the last layers."""


class LpipsMetric(MeanMetric):
    """LPIPS at 256 px or less; over a region, the mean of the package's map of distances."""

    direction, backend, takes = "lower", "reference", "images"

    def __init__(self, network: Any, name: str) -> None:
        """Take the package's network and the metric's name, which says its trunk."""
        super().__init__()
        self.name, self._network = name, network

    def score(self, image: Tensor, target: Tensor, region: Tensor | None = None) -> Tensor:
        """LPIPS distances [B], over the region where one is given; small pictures are enlarged first."""
        image, target, region = at_compared_size(image, target, region)
        if image.shape[-1] < _SMALLEST:
            image, target = resize(image, _SMALLEST), resize(target, _SMALLEST)
            region = None if region is None else resize(region, _SMALLEST)
        self._network.to(image.device).spatial = region is not None
        return region_mean(self._network(image, target), region)
