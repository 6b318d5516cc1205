"""Pixel metrics of image pairs: L2, PSNR, SSIM, MS-SSIM.

Images are [B, 3, H, W] in [-1, 1] and clamped to it. Those larger than `COMPARED_AT` are brought to that side first
(bilinear, antialiased), smaller ones are compared as they are. A region [B, 1, H, W] of weights restricts a metric to
a part of the image; the region is resized like the image.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.data.transforms import resize
from toolkit.errors import InputError
from toolkit.losses.reconstruction import check_same_shape
from toolkit.metrics.state import MeanMetric

COMPARED_AT = 256
"""Side in pixels at which the literature compares."""
BEST_PSNR = 100.0
"""Decibels given to equal images, whose ratio is infinite."""
_WINDOW, _SIGMA = 11, 1.5
_K1, _K2 = 0.01, 0.03
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SMALLEST_MS_SSIM = (_WINDOW - 1) * 2 ** (len(_SCALE_WEIGHTS) - 1) + 1


def at_compared_size(image: Tensor, target: Tensor, region: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """Clamp a pair to [-1, 1] and bring it, and its region, to the size of comparison.

    Raises:
        InputError: The shapes do not fit.
    """
    check_same_shape(image, target)
    if region is not None and (region.shape[-2:] != image.shape[-2:] or region.shape[0] not in (1, image.shape[0])):
        raise InputError(f"a region must be [B or 1, 1, H, W] for {list(image.shape)}, got {list(region.shape)}")
    image, target = image.clamp(-1, 1), target.clamp(-1, 1)
    if max(image.shape[-2:]) > COMPARED_AT:
        image, target = resize(image, COMPARED_AT), resize(target, COMPARED_AT)
        region = None if region is None else resize(region, COMPARED_AT)
    return image, target, region


def region_mean(values: Tensor, region: Tensor | None = None) -> Tensor:
    """Each image's weighted mean of values [B, C, H, W]: [B]; NaN where the region's weights sum to less than a pixel.

    Args:
        values: [B, C, H, W].
        region: [B or 1, 1, H, W] weights >= 0, None for the plain mean.
    """
    if region is None:
        return values.flatten(1).mean(1)
    weights = region.to(values).expand(values.shape[0], -1, -1, -1)
    area = weights.flatten(1).sum(1)
    mean = (values * weights).flatten(1).sum(1) / (area.clamp_min(1.0) * values.shape[1])
    return torch.where(area >= 1.0, mean, mean.new_tensor(math.nan))


def squared_error(image: Tensor, target: Tensor, region: Tensor | None = None) -> Tensor:
    """Mean squared difference per image [B], 0 to 4: four times that of images in [0, 1]."""
    return region_mean((image - target).square(), region)


def psnr(image: Tensor, target: Tensor, region: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio per image [B] in decibels: 10 log10(4 / L2), at most `BEST_PSNR`."""
    return (10 * torch.log10(4 / squared_error(image, target, region))).clamp_max(BEST_PSNR)


def ssim(image: Tensor, target: Tensor, region: Tensor | None = None) -> Tensor:
    """Structural similarity per image [B], -1 to 1: Gaussian window of 11 px, sigma 1.5, where it fits whole.

    Raises:
        InputError: Images smaller than the window.
    """
    _check_side(image, _WINDOW, "SSIM")
    similarity, _ = _similarity_maps(image, target)
    border = _WINDOW // 2
    inner = None if region is None else region[..., border:-border, border:-border]
    return region_mean(similarity, inner)


def ms_ssim(image: Tensor, target: Tensor) -> Tensor:
    """Multi-scale structural similarity per image [B], 0 to 1, over five scales.

    Raises:
        InputError: Images smaller than 161 px.
    """
    _check_side(image, SMALLEST_MS_SSIM, "MS-SSIM")
    factors = []
    for scale, weight in enumerate(_SCALE_WEIGHTS):
        similarity, contrast = (part.mean((2, 3)) for part in _similarity_maps(image, target))
        last = scale == len(_SCALE_WEIGHTS) - 1
        factors.append(torch.relu(similarity if last else contrast) ** weight)
        odd = [side % 2 for side in image.shape[-2:]]
        image, target = (F.avg_pool2d(part, 2, padding=odd) for part in (image, target))
    return torch.stack(factors).prod(0).mean(1)


def _check_side(image: Tensor, smallest: int, what: str) -> None:
    if min(image.shape[-2:]) < smallest:
        raise InputError(f"{what} needs images of at least {smallest} px, got {image.shape[-1]} x {image.shape[-2]}")


def _averaging(side: int, like: Tensor) -> Tensor:
    """The window's weights at each of its places along a side, as rows of a matrix [side - 10, side].

    Products with it are three times as fast as convolutions, which know no better way for a single channel.
    """
    offsets = torch.arange(_WINDOW, dtype=like.dtype, device=like.device) - _WINDOW // 2
    window = torch.exp(-0.5 * (offsets / _SIGMA).square())
    matrix = like.new_zeros(side - _WINDOW + 1, side)
    for place, weight in enumerate(window / window.sum()):
        matrix.diagonal(place).copy_(weight)
    return matrix


def _similarity_maps(image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM and its contrast-structure factor at every whole window: [B, C, H - 10, W - 10] each."""
    down, across = (_averaging(side, image) for side in image.shape[-2:])

    def blurred(values: Tensor) -> Tensor:
        return down @ values @ across.T

    x, y = image / 2 + 0.5, target / 2 + 0.5
    mean_x, mean_y = blurred(x), blurred(y)
    variance_x, variance_y = blurred(x * x) - mean_x.square(), blurred(y * y) - mean_y.square()
    covariance = blurred(x * y) - mean_x * mean_y
    contrast = (2 * covariance + _K2**2) / (variance_x + variance_y + _K2**2)
    luminance = (2 * mean_x * mean_y + _K1**2) / (mean_x.square() + mean_y.square() + _K1**2)
    return luminance * contrast, contrast


class L2(MeanMetric):
    """Mean squared difference in [-1, 1] (see `squared_error`), as in the paper's Table 1."""

    name, direction, takes = "l2", "lower", "images"

    def score(self, image: Tensor, target: Tensor, region: Tensor | None = None) -> Tensor:
        """Mean squared differences [B], over the region where one is given."""
        return squared_error(*at_compared_size(image, target, region))


class Psnr(MeanMetric):
    """Peak signal-to-noise ratio (see `psnr`), averaged over images in decibels."""

    name, direction, unit, takes = "psnr", "higher", "dB", "images"

    def score(self, image: Tensor, target: Tensor, region: Tensor | None = None) -> Tensor:
        """Peak signal-to-noise ratios [B] in decibels, over the region where one is given."""
        return psnr(*at_compared_size(image, target, region))


class Ssim(MeanMetric):
    """Structural similarity (see `ssim`)."""

    name, direction, takes = "ssim", "higher", "images"

    def score(self, image: Tensor, target: Tensor, region: Tensor | None = None) -> Tensor:
        """Structural similarities [B], at most 1, over the region where one is given."""
        return ssim(*at_compared_size(image, target, region))


class MsSsim(MeanMetric):
    """Multi-scale structural similarity (see `ms_ssim`); images of at least 161 px, no regions."""

    name, direction, takes = "ms_ssim", "higher", "pair"
    smallest_side = SMALLEST_MS_SSIM

    def score(self, image: Tensor, target: Tensor) -> Tensor:
        """Multi-scale structural similarities [B], at most 1."""
        image, target, _ = at_compared_size(image, target, None)
        return ms_ssim(image, target)
