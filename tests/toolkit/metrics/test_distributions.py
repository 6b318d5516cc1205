from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor

from toolkit.errors import InputError
from toolkit.metrics import FrechetMetric, KernelMetric, frechet_distance, kernel_distance
from toolkit.metrics.distributions import frechet_from_moments, moments
from toolkit.testing import conformance


def sample(count: int, size: int, seed: int, shift: float = 0.0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    spectrum = torch.arange(1, size + 1).double().rsqrt()
    return torch.randn(count, size, generator=source, dtype=torch.float64) * spectrum + shift


@pytest.mark.parametrize(("first", "second", "size"), [(40, 40, 96), (30, 50, 96), (200, 150, 24), (20, 300, 64)])
def test_frechet_distance_is_that_of_clean_fid(first: int, second: int, size: int):
    fid = pytest.importorskip("cleanfid.fid")
    a, b = sample(first, size, 0), sample(second, size, 1, 0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy deprecates how clean-fid calls it
        theirs = fid.frechet_distance(
            a.mean(0).numpy(), np.cov(a.numpy(), rowvar=False), b.mean(0).numpy(), np.cov(b.numpy(), rowvar=False)
        )
    assert frechet_distance(a, b) == pytest.approx(float(theirs), rel=1e-5)


def test_the_fast_and_the_plain_route_agree():
    a, b = sample(40, 64, 2), sample(50, 64, 3, 0.1)
    assert frechet_distance(a, b) == pytest.approx(frechet_from_moments(*moments(a), *moments(b)), rel=1e-6)
    assert abs(frechet_distance(a, a)) < 1e-9


def test_frechet_distance_of_known_gaussians():
    a = torch.tensor([[1.0], [-1.0]]).double()  # variance 2
    b = torch.tensor([[5.0], [1.0]]).double()  # mean 3, variance 8
    assert frechet_distance(a, b) == pytest.approx(9 + 2 + 8 - 2 * math.sqrt(16))


def test_kernel_distance_is_that_of_clean_fid():
    fid = pytest.importorskip("cleanfid.fid")
    a, b = sample(60, 32, 4), sample(60, 32, 5, 0.3)
    theirs = fid.kernel_distance(a.numpy(), b.numpy(), num_subsets=3, max_subset_size=1000)
    assert kernel_distance(a, b) == pytest.approx(float(theirs), rel=1e-9)


def test_kernel_distance_by_subsets_is_near_the_whole_and_repeats_itself():
    a, b = sample(300, 16, 6), sample(300, 16, 7, 0.5)
    whole, parts = kernel_distance(a, b), kernel_distance(a, b, subset=100)
    assert parts == pytest.approx(whole, rel=0.1)
    assert parts == kernel_distance(a, b, subset=100)


class MeanColour:
    """Three features, which is enough to check plumbing."""

    name, size = "mean-colour", 3

    def features(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))


@pytest.mark.parametrize("make", [FrechetMetric, KernelMetric])
def test_metrics_conform_and_merge(make: type[FrechetMetric]):
    source = torch.Generator().manual_seed(8)
    batches = [(torch.rand(6, 3, 8, 8, generator=source) * 2 - 1, real) for real in (True, False, True, False)]
    # the check hands batches out alternately, so both processes need both sides
    batches = [batches[0], batches[2], batches[1], batches[3]]
    conformance.check_metric(lambda: make(MeanColour(), "test", "none"), batches)


def test_broken_features_are_counted_and_too_few_samples_give_no_number():
    metric = FrechetMetric(MeanColour(), "test", "none")
    metric.update_features(torch.tensor([[1.0, 2.0, 3.0], [math.nan, 0.0, 0.0]]))
    metric.update_features(torch.rand(4, 3), real=True)
    score = metric.compute()
    assert math.isnan(score.value)
    assert (score.used, score.failed) == (1, 1)
    with pytest.raises(InputError, match="two samples"):
        frechet_distance(torch.rand(1, 3), torch.rand(4, 3))
    with pytest.raises(InputError, match="NaN"):
        frechet_distance(torch.full((3, 3), math.nan), torch.rand(4, 3))
    with pytest.raises(InputError, match="dimensions"):
        kernel_distance(torch.rand(4, 2), torch.rand(4, 3))
