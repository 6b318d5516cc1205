from __future__ import annotations

import math

import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from toolkit.data.transforms import resize
from toolkit.errors import InputError
from toolkit.metrics import L2, MsSsim, Psnr, Ssim
from toolkit.metrics.images import ms_ssim, psnr, squared_error, ssim
from toolkit.testing import conformance

Pair = tuple[Tensor, Tensor]
torchmetrics_image = pytest.importorskip("torchmetrics.image")


def test_l2_is_that_of_torchmetrics_in_minus_one_to_one(pair: Pair):
    from torchmetrics import MeanSquaredError

    theirs = MeanSquaredError()(*(part.contiguous() for part in pair))
    assert torch.allclose(squared_error(*pair).mean(), theirs, rtol=1e-5)
    halves = squared_error(pair[0] / 2 + 0.5, pair[1] / 2 + 0.5)
    assert torch.allclose(squared_error(*pair), 4 * halves, rtol=1e-4)


def test_psnr_is_that_of_torchmetrics_and_of_l2(pair: Pair):
    theirs = torchmetrics_image.PeakSignalNoiseRatio(data_range=2.0, reduction="none", dim=(1, 2, 3))(*pair)
    assert torch.allclose(psnr(*pair), theirs, atol=1e-4)
    assert torch.allclose(psnr(*pair), 10 * torch.log10(4 / squared_error(*pair)), atol=1e-4)
    assert psnr(pair[1], pair[1]).tolist() == [100.0, 100.0]


def test_ssim_is_that_of_pytorch_msssim_and_scikit_image(pair: Pair):
    pytorch_msssim = pytest.importorskip("pytorch_msssim")
    unit = [part / 2 + 0.5 for part in pair]
    theirs = pytorch_msssim.ssim(*unit, data_range=1.0, size_average=False)
    assert torch.allclose(ssim(*pair), theirs, atol=2e-5)
    first, second = (part[0].permute(1, 2, 0).double().numpy() for part in unit)
    other = structural_similarity(
        first, second, data_range=1, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert float(ssim(*pair)[0]) == pytest.approx(other, abs=2e-5)


def test_ms_ssim_is_that_of_pytorch_msssim_odd_sizes_included(pair: Pair):
    pytorch_msssim = pytest.importorskip("pytorch_msssim")
    for image, target in (pair, tuple(part[..., :171, :173] for part in pair)):
        theirs = pytorch_msssim.ms_ssim(image / 2 + 0.5, target / 2 + 0.5, data_range=1.0, size_average=False)
        assert torch.allclose(ms_ssim(image, target), theirs, atol=2e-5)


def test_large_images_are_compared_at_256_pixels_small_ones_as_they_are(pair: Pair):
    large = [resize(part, 320) for part in pair]
    metric = L2()
    metric.update(*large)
    shrunk = squared_error(resize(large[0], 256), resize(large[1], 256))
    assert metric.compute().value == pytest.approx(float(shrunk.mean()), rel=1e-5)
    assert metric.compute().value != pytest.approx(float(squared_error(*large).mean()), rel=1e-3)
    small = L2()
    small.update(*pair)
    assert small.compute().value == pytest.approx(float(squared_error(*pair).mean()), rel=1e-6)


@pytest.mark.parametrize("make", [L2, Psnr, Ssim])
def test_a_region_hides_what_lies_outside_it(make: type[L2], pair: Pair):
    image, target = pair
    region = torch.zeros(2, 1, *image.shape[-2:])
    region[..., 60:120, 50:110] = 1
    elsewhere = image.clone()
    elsewhere[..., :40, :] = 1.0
    scores = []
    for first in (image, elsewhere):
        metric = make()
        metric.update(first, target, region)
        scores.append(metric.compute())
    assert scores[0] == scores[1]
    whole = make()
    whole.update(elsewhere, target)
    assert whole.compute().value != pytest.approx(scores[0].value, rel=1e-2)


def test_an_empty_region_is_counted_and_not_scored(pair: Pair):
    metric = L2()
    region = torch.zeros(2, 1, *pair[0].shape[-2:])
    region[0] = 1
    metric.update(*pair, region)
    score = metric.compute()
    assert (score.used, score.failed) == (1, 1)
    assert score.value == pytest.approx(float(squared_error(*pair)[0]), rel=1e-6)
    assert math.isnan(L2().compute().value)


@pytest.mark.parametrize("make", [L2, Psnr, Ssim, MsSsim])
def test_metrics_conform_and_merge(make: type[L2], pair: Pair):
    conformance.check_metric(make, [pair, (pair[1], pair[1]), (-pair[0], pair[1])])


def test_small_images_and_unequal_shapes_are_refused(pair: Pair):
    with pytest.raises(InputError, match="161 px"):
        ms_ssim(pair[0][..., :160, :160], pair[1][..., :160, :160])
    with pytest.raises(InputError, match="at least 11 px"):
        ssim(pair[0][..., :8, :8], pair[1][..., :8, :8])
    with pytest.raises(InputError, match="one shape"):
        L2().update(pair[0], pair[1][..., :100])
    with pytest.raises(InputError, match="cannot take in"):
        L2().merge(Psnr())  # type: ignore[arg-type]  # that is the point
