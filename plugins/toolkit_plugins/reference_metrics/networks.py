"""Factories of the metrics with the literature's networks; each network is read once per process."""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import Module

from toolkit.losses.perceptual import Lpips
from toolkit.metrics import DetectedFace, FrechetMetric, IdentityMetric, KernelMetric, PerceptualMetric
from toolkit.weights import build_official
from toolkit_plugins.reference_metrics.files import (
    ALEXNET,
    ARCFACE,
    CURRICULARFACE,
    INCEPTION,
    VGG16,
    ReferenceFile,
    find_file,
    read_weights,
)
from toolkit_plugins.reference_metrics.inception import Inception

BACKEND = "reference"
_SMALLEST = 64
"""Below it, pooling leaves nothing of an image for the trunks' last layers."""


class NetworkEmbedder:
    """A `FaceEmbedder` out of a recognition network [B, 3, 112, 112] -> [B, 512]."""

    def __init__(self, network: Module) -> None:
        self._network = network.eval().requires_grad_(False)

    @torch.no_grad()
    def embed(self, face: Tensor) -> Tensor:
        """Aligned faces [B, 3, 112, 112] in [-1, 1] to unit vectors [B, 512]."""
        return torch.nn.functional.normalize(self._network(face), dim=1)


def open_lpips_alex() -> PerceptualMetric:
    """LPIPS with AlexNet.

    Raises:
        WeightsError: The trunk's file is missing or another one.
    """
    return _lpips("alex", ALEXNET)


def open_lpips_vgg() -> PerceptualMetric:
    """LPIPS with VGG16.

    Raises:
        WeightsError: The trunk's file is missing or another one.
    """
    return _lpips("vgg", VGG16)


def open_id_curricularface() -> IdentityMetric:
    """Identity by CurricularFace, the evaluation protocol of pSp and TriPlaneNet.

    Raises:
        WeightsError: The network's file is missing or another one.
    """
    return _identity("curricularface_ir101", CURRICULARFACE)


def open_id_arcface() -> IdentityMetric:
    """Identity by ArcFace IR-SE50, the network of the training loss.

    Raises:
        WeightsError: The network's file is missing or another one.
    """
    return _identity("irse50_arcface", ARCFACE)


def open_fid() -> FrechetMetric:
    """FID with Inception and clean-fid's resize.

    Raises:
        WeightsError: Inception's file is missing or another one.
    """
    network, path = _inception()
    return FrechetMetric(network, "fid", BACKEND).using(path)


def open_kid() -> KernelMetric:
    """KID with Inception and clean-fid's resize.

    Raises:
        WeightsError: Inception's file is missing or another one.
    """
    network, path = _inception()
    return KernelMetric(network, "kid", BACKEND).using(path)


def _lpips(net: str, file: ReferenceFile) -> PerceptualMetric:
    network, path = _feature_maps(net, file)
    return PerceptualMetric(network, file.purpose, BACKEND, smallest=_SMALLEST).using(path)


def _identity(kind: str, file: ReferenceFile) -> IdentityMetric:
    embedder, path = _recogniser(kind, file)
    return IdentityMetric(embedder, file.purpose, BACKEND, DetectedFace()).using(path)


@functools.cache
def _feature_maps(net: str, file: ReferenceFile) -> tuple[Lpips, Path]:
    path = find_file(file)
    return Lpips(net, path), path


@functools.cache
def _recogniser(kind: str, file: ReferenceFile) -> tuple[NetworkEmbedder, Path]:
    path = find_file(file)
    return NetworkEmbedder(build_official(kind, read_weights(path))), path


@functools.cache
def _inception() -> tuple[Inception, Path]:
    path = find_file(INCEPTION)
    return Inception.from_state_dict(read_weights(path)), path
