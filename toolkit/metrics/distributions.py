"""Distances between two sets of images in a feature space: Frechet (FID) and kernel (KID)."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from toolkit.errors import InputError
from toolkit.interfaces.metric import Direction, Score
from toolkit.metrics.state import StatefulMetric

KID_SUBSET = 1000
KID_SUBSETS = 100


class FeatureExtractor(Protocol):
    """A network that turns images into feature vectors; its name says which."""

    name: str
    size: int
    """Length of a feature vector."""

    def features(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W] in [-1, 1] to features [B, size]."""
        ...


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Frechet distance of the Gaussians fitted to features [n1, d] and [n2, d] (covariances over n - 1).

    Exact, without forming a square root: with centred features A, B the trace term is the nuclear norm of A B^T, which
    costs min(n)^3; with more samples than dimensions the symmetric route over covariances is taken instead.

    Raises:
        InputError: Fewer than two samples, unequal dimensions, or values that are not finite.
    """
    first, second = _checked(first), _checked(second)
    if first.shape[1] != second.shape[1]:
        raise InputError(f"features of {first.shape[1]} and {second.shape[1]} dimensions cannot be compared")
    if max(len(first), len(second)) > first.shape[1]:
        means, covariances = zip(*(moments(part) for part in (first, second)), strict=True)
        return frechet_from_moments(means[0], covariances[0], means[1], covariances[1])
    a, b = ((part - part.mean(0)) / math.sqrt(len(part) - 1) for part in (first, second))
    offset = (first.mean(0) - second.mean(0)).square().sum()
    overlap = torch.linalg.matrix_norm(a @ b.T, "nuc")
    return _not_negative(float(offset + a.square().sum() + b.square().sum() - 2 * overlap))


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [d] and covariance [d, d] (over n - 1) of features [n, d]."""
    centred = features - features.mean(0)
    return features.mean(0), centred.T @ centred / (len(features) - 1)


def frechet_from_moments(mean1: Tensor, covariance1: Tensor, mean2: Tensor, covariance2: Tensor) -> float:
    """Frechet distance of two Gaussians with means [d] and covariances [d, d]; symmetric eigenvalues only."""
    values, vectors = torch.linalg.eigh(covariance1)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    inner = torch.linalg.eigvalsh(root @ covariance2 @ root).clamp_min(0)
    offset = (mean1 - mean2).square().sum()
    return _not_negative(float(offset + covariance1.trace() + covariance2.trace() - 2 * inner.sqrt().sum()))


def kernel_distance(first: Tensor, second: Tensor, subset: int = KID_SUBSET, seed: int = 0) -> float:
    """KID: unbiased squared MMD of features [n1, d], [n2, d] under the kernel (x.y / d + 1)^3.

    All samples are used at once where both sides have one number of at most `subset`; otherwise the mean over 100
    seeded draws of as many from each side.

    Raises:
        InputError: Fewer than two samples, unequal dimensions, or values that are not finite.
    """
    first, second = _checked(first), _checked(second)
    if first.shape[1] != second.shape[1]:
        raise InputError(f"features of {first.shape[1]} and {second.shape[1]} dimensions cannot be compared")
    count = min(len(first), len(second), subset)
    if len(first) == len(second) == count:
        return _unbiased_mmd(first, second)
    source = torch.Generator().manual_seed(seed)
    draws = [
        [part[torch.randperm(len(part), generator=source)[:count].to(part.device)] for part in (first, second)]
        for _ in range(KID_SUBSETS)
    ]
    return sum(_unbiased_mmd(a, b) for a, b in draws) / KID_SUBSETS


def _unbiased_mmd(first: Tensor, second: Tensor) -> float:
    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / x.shape[1] + 1) ** 3

    count = len(first)
    within = sum(float(matrix.sum() - matrix.diagonal().sum()) for matrix in (kernel(first, first),
                                                                              kernel(second, second)))  # fmt: skip
    return within / (count * (count - 1)) - 2 * float(kernel(first, second).mean())


def _checked(features: Tensor) -> Tensor:
    if features.ndim != 2 or len(features) < 2:
        raise InputError(f"a distance of distributions needs at least two samples [n, d], got {list(features.shape)}")
    if not torch.isfinite(features).all():
        raise InputError("the features hold NaN or infinity")
    return features.double()


def _not_negative(distance: float) -> float:
    return 0.0 if -1e-3 < distance < 0 else distance


class DistributionMetric(StatefulMetric):
    """Keeps the features of both sides; a merge joins them."""

    direction: Direction = "lower"
    takes = "distribution"

    def __init__(self, extractor: FeatureExtractor, name: str, backend: str) -> None:
        """Take the network whose features are compared (embedded ones get names that end in `-e`)."""
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

    def _distance(self, real: Tensor, made: Tensor) -> float:
        raise NotImplementedError


class FrechetMetric(DistributionMetric):
    """FID (see `frechet_distance`): comparable only at equal numbers of images, because its bias falls with them."""

    def _distance(self, real: Tensor, made: Tensor) -> float:
        return frechet_distance(real, made)


class KernelMetric(DistributionMetric):
    """KID (see `kernel_distance`): unbiased at any number of images."""

    def _distance(self, real: Tensor, made: Tensor) -> float:
        return kernel_distance(real, made)
