from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor

from toolkit.errors import InputError
from toolkit.metrics import FrechetMetric, KernelMetric, frechet_distance, kernel_distance
from toolkit.metrics.distributions import DistributionMetric
from toolkit.metrics.resampling import resampled_frechet, resampled_kernel
from toolkit.testing import conformance


def sample(count: int, size: int, seed: int, shift: float = 0.0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    spectrum = torch.arange(1, size + 1).double().rsqrt()
    return torch.randn(count, size, generator=source, dtype=torch.float64) * spectrum + shift


def by_eigenvalues(a: Tensor, b: Tensor) -> float:
    """Another way to the Frechet distance: symmetric eigenvalues of full covariances, no root of a product."""
    covariances = [torch.cov(side.T) for side in (a, b)]
    values, vectors = torch.linalg.eigh(covariances[0])
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    inner = torch.linalg.eigvalsh(root @ covariances[1] @ root).clamp_min(0).sqrt().sum()
    offset = (a.mean(0) - b.mean(0)).square().sum()
    return float(offset + sum(each.trace() for each in covariances) - 2 * inner)


@pytest.mark.parametrize(("first", "second", "size"), [(2, 3, 96), (40, 40, 96), (30, 50, 96), (200, 150, 24)])
def test_frechet_distance_is_right_with_few_and_with_many_samples(first: int, second: int, size: int):
    a, b = sample(first, size, 0), sample(second, size, 1, 0.2)
    assert frechet_distance(a, b) == pytest.approx(by_eigenvalues(a, b), rel=1e-5)
    assert abs(frechet_distance(a, a)) < 1e-6


def test_frechet_distance_is_clean_fids_although_the_sides_are_turned_first():
    from cleanfid import fid

    a, b = sample(30, 96, 0), sample(50, 96, 1, 0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy deprecates how clean-fid calls it
        theirs = fid.frechet_distance(
            a.mean(0).numpy(), np.cov(a.numpy(), rowvar=False), b.mean(0).numpy(), np.cov(b.numpy(), rowvar=False)
        )
    assert frechet_distance(a, b) == pytest.approx(float(theirs), rel=1e-6)


def test_samples_that_are_all_the_same_have_a_distance():
    flat = torch.ones(4, 3).double()
    assert frechet_distance(flat, flat) == pytest.approx(0, abs=1e-5)
    assert frechet_distance(flat, flat + 1) == pytest.approx(3, abs=1e-2)


def test_frechet_distance_of_known_gaussians():
    a = torch.tensor([[1.0], [-1.0]]).double()  # variance 2
    b = torch.tensor([[5.0], [1.0]]).double()  # mean 3, variance 8
    assert frechet_distance(a, b) == pytest.approx(9 + 2 + 8 - 2 * math.sqrt(16))


def test_kernel_distance_is_right_and_leaves_numpys_generator_alone():
    a, b = sample(60, 32, 4), sample(60, 32, 5, 0.3)
    before = np.random.get_state()[1].tolist()
    found = kernel_distance(a, b)
    assert np.random.get_state()[1].tolist() == before
    own, other, between = ((x @ y.T / 32 + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    apart = ~torch.eye(60, dtype=torch.bool)
    assert found == pytest.approx(float(own[apart].mean() + other[apart].mean() - 2 * between.mean()), rel=1e-9)


def test_kernel_distance_by_subsets_is_near_the_whole_and_repeats_itself():
    a, b = sample(300, 16, 6), sample(300, 16, 7, 0.5)
    whole, parts = kernel_distance(a, b), kernel_distance(a, b, subset=100)
    assert parts == pytest.approx(whole, rel=0.15)
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


def drawn(count: int, resamples: int) -> Tensor:
    """How often each of `count` samples is drawn, [resamples, count]."""
    chosen = torch.randint(0, count, (resamples, count), generator=torch.Generator().manual_seed(8))
    return torch.stack([torch.bincount(each, minlength=count) for each in chosen])


@pytest.mark.parametrize(("first", "second", "size"), [(40, 40, 96), (200, 150, 24), (20, 300, 64), (80, 50, 30)])
def test_resampled_frechet_distances_are_those_of_repeated_samples(first: int, second: int, size: int):
    a, b = sample(first, size, 9, 4.0), sample(second, size, 10, 4.1)
    counts = drawn(second, 5)
    plain = [frechet_distance(a, b.repeat_interleave(each, 0)) for each in counts]
    assert resampled_frechet(a, b, counts).tolist() == pytest.approx(plain, rel=1e-5)
    assert float(resampled_frechet(a, b, torch.ones(1, second))) == pytest.approx(frechet_distance(a, b), rel=1e-5)


def test_resampled_kernel_distances_compare_no_sample_with_its_copies():
    a, b = sample(30, 12, 11), sample(20, 12, 12, 0.4)
    counts = drawn(20, 4)
    for each, distance in zip(counts, resampled_kernel(a, b, counts).tolist(), strict=True):
        which = torch.arange(20).repeat_interleave(each)
        kernel = (b[which] @ b[which].T / 12 + 1) ** 3
        within = kernel[which[:, None] != which[None]].mean()
        own = (a @ a.T / 12 + 1) ** 3
        own_mean = own[~torch.eye(30, dtype=torch.bool)].mean()
        between = ((a @ b[which].T / 12 + 1) ** 3).mean()
        assert distance == pytest.approx(float(own_mean + within - 2 * between), rel=1e-9)
    square = sample(20, 12, 13)
    assert float(resampled_kernel(square, b, torch.ones(1, 20))) == pytest.approx(kernel_distance(square, b), rel=1e-9)
    assert resampled_kernel(a, b, torch.eye(20)[:1] * 20).isnan().all()


@pytest.mark.parametrize("make", [FrechetMetric, KernelMetric])
def test_a_metric_s_own_resamples_are_those_of_its_fast_route(make: type[DistributionMetric]):
    a, b = sample(30, 12, 14), sample(30, 12, 15, 0.4)
    metric, counts = make(MeanColour(), "own-e", "embedded"), torch.ones(2, 30)
    assert metric.resampled(a, b, counts).tolist() == pytest.approx(
        DistributionMetric.resampled(metric, a, b, counts).tolist(), rel=1e-6
    )


@pytest.mark.parametrize("distances", [resampled_frechet, resampled_kernel])
def test_resamples_that_are_none_are_refused(distances):
    a = sample(10, 4, 16)
    for counts in (torch.ones(10), torch.ones(2, 9), torch.eye(10)):
        with pytest.raises(InputError, match=r"counts must be \[B, 10\]"):
            distances(a, a, counts)
    with pytest.raises(InputError, match="dimensions"):
        distances(a, a[:, :3], torch.ones(1, 10))


def test_features_far_too_large_for_the_distance_are_one_sentence(monkeypatch: pytest.MonkeyPatch):
    from cleanfid import fid

    def refuse(*moments: np.ndarray) -> float:
        raise ValueError("Imaginary component 5e+17")

    monkeypatch.setattr(fid, "frechet_distance", refuse)  # which numbers do it depends on the machine's LAPACK
    with pytest.raises(InputError, match="cannot be compared"):
        frechet_distance(torch.randn(4, 3), torch.randn(4, 3))
