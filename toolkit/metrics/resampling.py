"""Distances of distributions from many resamples of one side, for intervals: thousands of them in reasonable time.

What does not depend on the resample is computed once. `DistributionMetric.resampled` is the plain way to the same
numbers: it repeats the samples and asks clean-fid each time.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from toolkit.errors import InputError
from toolkit.metrics.feature_distances import checked_sides


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
    first, second, counts = _checked(first, second, counts)
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
    first, second, counts = _checked(first, second, counts)
    own, other, between = _kernel(first, first), _kernel(second, second), _kernel(first, second).mean(0)
    within = (own.sum() - own.diagonal().sum()) / (len(first) * (len(first) - 1))
    totals, copies = counts.sum(1), counts.square()
    pairs = ((counts @ other) * counts).sum(1) - copies @ other.diagonal()
    return within + pairs / (totals.square() - copies.sum(1)) - 2 * (counts @ between) / totals


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _checked(first: Tensor, second: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    first, second = checked_sides(first, second)
    if counts.ndim != 2 or counts.shape[1] != len(second) or bool((counts.sum(1) < 2).any()):
        raise InputError(
            f"counts must be [B, {len(second)}] with at least two samples in each row, got {list(counts.shape)}"
        )
    return first, second, counts.to(second)
