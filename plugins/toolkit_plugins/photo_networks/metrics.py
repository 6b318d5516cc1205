"""Metrics on EfficientNet-Lite2, which no loss uses; the network is read once per process."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from toolkit.data.transforms import resize
from toolkit.metrics import FrechetMetric, KernelMetric, PerceptualMetric
from toolkit_plugins.photo_networks.lite import EfficientNetLite, unit_maps

BACKEND = "embedded"
SIDE = 256
"""Side in pixels that images are brought to, whatever they come in: scores do not depend on it by chance."""
FEATURES = 1280
_BATCH = 16


class LiteScores:
    """The network as perceptual distances and distances of distributions want it."""

    size = FEATURES

    def __init__(self, network: EfficientNetLite) -> None:
        self.network = network
        # features are kept between runs by this name: those of other weights must not be taken for these
        self.name = f"efficientnet-lite2-{network.fingerprint}"

    def embed(self, image: Tensor) -> tuple[Tensor, ...]:
        """Unit maps of images [B, 3, S, S] in [-1, 1]."""
        self.network.to(image.device)
        return unit_maps(self.network.maps(image))

    def features(self, images: Tensor) -> Tensor:
        """Features [B, 1280] of images [B, 3, H, W] in [-1, 1]."""
        self.network.to(images.device)
        return torch.cat([self.network.features(resize(part, SIDE)) for part in images.split(_BATCH)])


def open_lpips_lite() -> PerceptualMetric:
    """LPIPS without calibration: squared distance of unit maps, mean over five depths, images brought to 256 px.

    Raises:
        MissingDependencyError: A package that it needs is not installed.
    """
    scores = _scores()
    return PerceptualMetric(scores, "lpips_lite", BACKEND, smallest=SIDE).using(scores.network.file)


def open_fd_lite() -> FrechetMetric:
    """Frechet distance of pooled features, images brought to 256 px.

    Raises:
        MissingDependencyError: A package that it needs is not installed.
    """
    scores = _scores()
    return FrechetMetric(scores, "fd_lite", BACKEND).using(scores.network.file)


def open_kd_lite() -> KernelMetric:
    """Kernel distance of pooled features, images brought to 256 px.

    Raises:
        MissingDependencyError: A package that it needs is not installed.
    """
    scores = _scores()
    return KernelMetric(scores, "kd_lite", BACKEND).using(scores.network.file)


@functools.cache
def _scores() -> LiteScores:
    return LiteScores(EfficientNetLite("lite2"))
