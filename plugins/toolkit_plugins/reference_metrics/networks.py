"""Factories of the metrics with the literature's networks; each network is read once per process."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from toolkit.files import file_sha256
from toolkit.losses.lpips_network import lpips_network
from toolkit.metrics import DetectedFace, FrechetMetric, IdentityMetric, KernelMetric
from toolkit.weights.official import build_official
from toolkit.weights.opening import open_state_dict, open_weights
from toolkit.weights.store import needed_weights
from toolkit_plugins.reference_metrics.inception import Inception
from toolkit_plugins.reference_metrics.perceptual import LpipsMetric

BACKEND, INCEPTION = "reference", "inception"


class NetworkEmbedder:
    """A `FaceEmbedder` out of a recognition network [B, 3, 112, 112] -> [B, 512]."""

    def __init__(self, network: Module) -> None:
        self._network = network.eval().requires_grad_(False)

    @torch.no_grad()
    def embed(self, face: Tensor) -> Tensor:
        """Aligned faces [B, 3, 112, 112] in [-1, 1] to unit vectors [B, 512]."""
        return torch.nn.functional.normalize(self._network(face), dim=1)


def open_lpips_alex() -> LpipsMetric:
    """LPIPS with AlexNet.

    Raises:
        WeightsError: The trunk's file is missing or another one.
    """
    return _lpips("alex", "alexnet")


def open_lpips_vgg() -> LpipsMetric:
    """LPIPS with VGG16.

    Raises:
        WeightsError: The trunk's file is missing or another one.
    """
    return _lpips("vgg", "vgg16")


def open_id_curricularface() -> IdentityMetric:
    """Identity by CurricularFace, the evaluation protocol of pSp and TriPlaneNet.

    Raises:
        WeightsError: The network's file is missing or another one.
    """
    return _identity("curricularface_ir101", "id_curricularface")


def open_id_arcface() -> IdentityMetric:
    """Identity by ArcFace IR-SE50, the network of the training loss.

    Raises:
        WeightsError: The network's file is missing or another one.
    """
    return _identity("irse50_arcface", "id_arcface")


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


def _lpips(net: str, kind: str) -> LpipsMetric:
    network, path = _pair_network(net, kind)
    return LpipsMetric(network, f"lpips_{net}").using(path)


def _identity(kind: str, metric: str) -> IdentityMetric:
    embedder, path = _recogniser(kind, metric)
    return IdentityMetric(embedder, metric, BACKEND, DetectedFace()).using(path)


@functools.cache
def _pair_network(net: str, kind: str) -> tuple[Any, Path]:
    path = needed_weights(kind, f"metric 'lpips_{net}'")
    return lpips_network(net, path), path


@functools.cache
def _recogniser(kind: str, metric: str) -> tuple[NetworkEmbedder, Path]:
    path = needed_weights(kind, f"metric {metric!r}")
    return NetworkEmbedder(build_official(kind, open_weights(path, kind)[0])), path


@functools.cache
def _inception() -> tuple[Inception, Path]:
    path = needed_weights(INCEPTION, "metrics 'fid' and 'kid' each")
    network = Inception.from_state_dict(open_state_dict(path))
    network.name = f"{Inception.name}-{file_sha256(path)[:8]}"  # features of other weights are kept under this name
    return network, path
