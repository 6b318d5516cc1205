"""Metrics that compare two sets of images in a feature space: Frechet (FID) and kernel (KID)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from toolkit.interfaces.metric import Direction, FeatureExtractor, Score, Takes
from toolkit.metrics.feature_distances import frechet_distance, kernel_distance
from toolkit.metrics.resampling import resampled_frechet, resampled_kernel
from toolkit.metrics.state import StatefulMetric


class DistributionMetric(StatefulMetric):
    """Keeps the features of both sides; a merge joins them."""

    direction: Direction = "lower"
    takes: Takes = "distribution"

    def __init__(self, extractor: FeatureExtractor, name: str, backend: str) -> None:
        """Take the network whose features are compared, and names that say which it is."""
        super().__init__()
        self.name, self.backend, self.extractor = name, backend, extractor
        for side in ("real", "made"):
            self.declare(side, "cat", torch.zeros(0, extractor.size))
        self.declare("failed", "sum", torch.zeros((), dtype=torch.float64))

    def update(self, images: Tensor, real: bool = False) -> None:
        """Take in images [B, 3, H, W] in [-1, 1] of one side; `real` is the side that is compared with."""
        with torch.no_grad():
            self.update_features(self.extractor.features(images), real)

    def update_features(self, features: Tensor, real: bool = False) -> None:
        """Take in features [B, size] that the extractor computed; those that are not finite count as failed."""
        finite = torch.isfinite(features).all(1)
        self._take("real" if real else "made", features[finite])
        self._take("failed", (~finite).sum())

    def compute(self) -> Score:
        """The distance; `used` counts the made side. NaN where a side has fewer than two images."""
        real, made = self._states["real"], self._states["made"]
        enough = min(len(real), len(made)) >= 2
        return Score(self._distance(real, made) if enough else math.nan, len(made), int(self._states["failed"]))

    def resampled(self, real: Tensor, made: Tensor, counts: Tensor) -> Tensor:
        """Distances [B] of features `real` [n1, size] from resamples of `made` [n2, size], for intervals.

        Args:
            real: The side that is compared with.
            made: The other side.
            counts: [B, n2], how often each resample holds each sample of `made`; at least two in all.
        """
        found = [self._distance(real, made.repeat_interleave(each.long(), 0)) for each in counts]
        return torch.tensor(found, dtype=torch.float64)

    def _distance(self, real: Tensor, made: Tensor) -> float:
        raise NotImplementedError


class FrechetMetric(DistributionMetric):
    """FID (see `frechet_distance`): comparable only at equal numbers of images, because its bias falls with them."""

    def resampled(self, real: Tensor, made: Tensor, counts: Tensor) -> Tensor:
        """Distances [R] of the resamples by FID (see `resampled_frechet`)."""
        return resampled_frechet(real, made, counts)

    def _distance(self, real: Tensor, made: Tensor) -> float:
        return frechet_distance(real, made)


class KernelMetric(DistributionMetric):
    """KID (see `kernel_distance`): unbiased at any number of images."""

    def resampled(self, real: Tensor, made: Tensor, counts: Tensor) -> Tensor:
        """Distances [R] of the resamples by KID (see `resampled_kernel`)."""
        return resampled_kernel(real, made, counts)

    def _distance(self, real: Tensor, made: Tensor) -> float:
        return kernel_distance(real, made)
