"""Recognisers with the user's weights in them, or with random ones."""

from __future__ import annotations

from pathlib import Path

import torch

from toolkit.errors import WeightsError
from toolkit.weights.official import load_strictly
from toolkit.weights.opening import open_weights
from toolkit.weights.store import needed_weights
from toolkit_plugins.face_recognition.architecture import ArcFaceArchitecture, CurricularFaceArchitecture
from toolkit_plugins.face_recognition.recogniser import FaceRecogniser


def open_arcface(weights: Path | None = None) -> FaceRecogniser:
    """ArcFace from a file, by default the one in the store.

    Raises:
        WeightsError: There is none, or it cannot be used.
    """
    return _open(ArcFaceArchitecture(), "arcface", weights)


def open_curricularface(weights: Path | None = None) -> FaceRecogniser:
    """CurricularFace from a file, by default the one in the store.

    Raises:
        WeightsError: There is none, or it cannot be used.
    """
    return _open(CurricularFaceArchitecture(), "curricularface", weights)


def open_untrained(weights: Path | None = None) -> FaceRecogniser:
    """ArcFace's network with random weights, the same at every call: for dry runs and timings.

    Raises:
        WeightsError: A file is given.
    """
    if weights is not None:
        raise WeightsError("face embedder 'arcface-untrained' has random weights and takes no file: 'arcface' does")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return FaceRecogniser().eval().requires_grad_(False)


def _open(architecture: ArcFaceArchitecture, name: str, weights: Path | None) -> FaceRecogniser:
    weights = weights or needed_weights(architecture.kind, f"face embedder {name!r}")
    tensors, _ = open_weights(weights, architecture.kind)
    recogniser = architecture.build(tensors)
    load_strictly(recogniser, tensors, str(weights))
    return recogniser.eval().requires_grad_(False)
