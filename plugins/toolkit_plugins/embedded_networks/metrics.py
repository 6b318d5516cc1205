"""Metrics with the embedded world's networks for scores; each network is read once per process.

No file that a loss is made of is used here: nothing is scored by the network that it was trained against.
"""

from __future__ import annotations

import functools

from toolkit.files import file_sha256
from toolkit.metrics import FrechetMetric, IdentityMetric, KernelMetric, PerceptualMetric, ProjectedFace
from toolkit_plugins.embedded_networks.files import read_network, shipped_file
from toolkit_plugins.embedded_networks.perception import DensePerception
from toolkit_plugins.embedded_networks.recognisers import FACE_SIDE, ResidualRecogniser

BACKEND = "embedded"
_PERCEPTION, _RECOGNISER = shipped_file("perceptual-e"), shipped_file("identity-e")
_SMALLEST = 32
"""Side in pixels that smaller pictures are enlarged to: the deepest maps are a sixteenth of it."""


def open_lpips() -> PerceptualMetric:
    """LPIPS-e: differences of weighted unit maps, of pictures of up to 128 px.

    Raises:
        WeightsError: The network's file is missing or damaged.
    """
    return PerceptualMetric(_perception(), "lpips-e", BACKEND, smallest=_SMALLEST).using(_PERCEPTION)


def open_id() -> IdentityMetric:
    """ID-e: cosine of faces cut out where the camera sees the average face; views within 60 degrees of the front.

    Raises:
        WeightsError: The network's file is missing or damaged.
    """
    recogniser, face_points = _recogniser()
    return IdentityMetric(recogniser, "id-e", BACKEND, ProjectedFace(face_points, size=FACE_SIDE)).using(_RECOGNISER)


def open_fid() -> FrechetMetric:
    """FID-e: Frechet distance of pooled features.

    Raises:
        WeightsError: The network's file is missing or damaged.
    """
    return FrechetMetric(_perception(), "fid-e", BACKEND).using(_PERCEPTION)


def open_kid() -> KernelMetric:
    """KID-e: kernel distance of pooled features.

    Raises:
        WeightsError: The network's file is missing or damaged.
    """
    return KernelMetric(_perception(), "kid-e", BACKEND).using(_PERCEPTION)


@functools.cache
def _perception() -> DensePerception:
    network = read_network("perceptual-e", DensePerception)[0]
    # features are kept between runs by this name: those of other weights must not be taken for these
    network.name = f"{DensePerception.name}-{file_sha256(_PERCEPTION)[:8]}"
    return network


@functools.cache
def _recogniser() -> tuple[ResidualRecogniser, tuple[tuple[float, ...], ...]]:
    network, about = read_network("identity-e", ResidualRecogniser)
    return network, tuple(tuple(point) for point in about["face_points"])
