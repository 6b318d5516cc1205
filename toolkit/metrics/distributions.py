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
    count = len(first)
    within = sum(float(matrix.sum() - matrix.diagonal().sum()) for matrix in (_kernel(first, first),
                                                                              _kernel(second, second)))  # fmt: skip
    return within / (count * (count - 1)) - 2 * float(_kernel(first, second).mean())


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def resampled_frechet(first: Tensor, second: Tensor, counts: Tensor) -> Tensor:
    """`frechet_distance` of `first` [n1, d] from resamples of `second` [n2, d].

    The trace term is the nuclear norm of F S^T, where F^T F is the first covariance and S are the centred samples of
    the second side that were drawn, weighted; F has at most d rows and is computed once.

    Args:
        first: Features [n1, d] that stay as they are.
        second: Features [n2, d].
        counts: [B, n2], how often each resample holds each sample of `second`; at least two in all.

    Returns:
        Distances [B], float64.

    Raises:
        InputError: See `frechet_distance`; or a resample of fewer than two samples.
    """
    first, second, counts = _checked_resamples(first, second, counts)
    centre = second.mean(0)  # a shift of both changes nothing and keeps digits
    first, second = first - centre, second - centre
    mean = first.mean(0)
    rows = (first - mean) / math.sqrt(len(first) - 1)
    factor = torch.linalg.qr(rows, mode="r")[1] if len(rows) > rows.shape[1] else rows
    spread, overlaps, squares = rows.square().sum(), factor @ second.T, second.square().sum(1)
    found = []
    for weights in counts:
        drawn = weights > 0
        weights, total = weights[drawn], weights.sum()
        offset = weights @ second[drawn] / total
        other = (weights @ squares[drawn] - total * offset.square().sum()) / (total - 1)
        part = overlaps[:, drawn]
        part = (part - (part @ weights / total)[:, None]) * (weights / (total - 1)).sqrt()
        gram = part.T @ part if part.shape[1] < part.shape[0] else part @ part.T
        nuclear = torch.linalg.eigvalsh(gram).clamp_min(0).sqrt().sum()
        found.append((mean - offset).square().sum() + spread + other - 2 * nuclear)
    return torch.stack(found)


def resampled_kernel(first: Tensor, second: Tensor, counts: Tensor) -> Tensor:
    """KID of `first` [n1, d] from resamples of `second` [n2, d], all samples at once.

    A sample is not compared with its own copies, which would make every resample look further away than it is.

    Args:
        first: Features [n1, d] that stay as they are.
        second: Features [n2, d].
        counts: [B, n2], how often each resample holds each sample of `second`; at least two in all.

    Returns:
        Distances [B], float64; NaN where a resample holds copies of one sample only.

    Raises:
        InputError: See `kernel_distance`; or a resample of fewer than two samples.
    """
    first, second, counts = _checked_resamples(first, second, counts)
    own, other, between = _kernel(first, first), _kernel(second, second), _kernel(first, second).mean(0)
    within = (own.sum() - own.diagonal().sum()) / (len(first) * (len(first) - 1))
    totals, copies = counts.sum(1), counts.square()
    pairs = ((counts @ other) * counts).sum(1) - copies @ other.diagonal()
    return within + pairs / (totals.square() - copies.sum(1)) - 2 * (counts @ between) / totals


def _checked_resamples(first: Tensor, second: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    first, second = _checked(first), _checked(second)
    if first.shape[1] != second.shape[1]:
        raise InputError(f"features of {first.shape[1]} and {second.shape[1]} dimensions cannot be compared")
    if counts.ndim != 2 or counts.shape[1] != len(second) or bool((counts.sum(1) < 2).any()):
        raise InputError(
            f"counts must be [B, {len(second)}] with at least two samples in each row, got {list(counts.shape)}"
        )
    return first, second, counts.to(second)


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
        """See `resampled_frechet`."""
        return resampled_frechet(real, made, counts)

    def _distance(self, real: Tensor, made: Tensor) -> float:
        return frechet_distance(real, made)


class KernelMetric(DistributionMetric):
    """KID (see `kernel_distance`): unbiased at any number of images."""

    def resampled(self, real: Tensor, made: Tensor, counts: Tensor) -> Tensor:
        """See `resampled_kernel`."""
        return resampled_kernel(real, made, counts)

    def _distance(self, real: Tensor, made: Tensor) -> float:
        return kernel_distance(real, made)
