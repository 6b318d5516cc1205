"""Recognisers with the user's weights in them."""

from __future__ import annotations

from pathlib import Path

from toolkit.errors import WeightsError
from toolkit.weights.official import load_strictly
from toolkit.weights.tensors import read_weights
from toolkit_plugins.face_recognition.architecture import ArcFaceArchitecture, CurricularFaceArchitecture
from toolkit_plugins.face_recognition.recogniser import FaceRecogniser


def open_arcface(weights: Path | None = None) -> FaceRecogniser:
    """ArcFace from a safetensors file.

    Raises:
        WeightsError: No file given, or it cannot be used.
    """
    return _open(ArcFaceArchitecture(), "arcface", weights)


def open_curricularface(weights: Path | None = None) -> FaceRecogniser:
    """CurricularFace from a safetensors file.

    Raises:
        WeightsError: No file given, or it cannot be used.
    """
    return _open(CurricularFaceArchitecture(), "curricularface", weights)


def _open(architecture: ArcFaceArchitecture, name: str, weights: Path | None) -> FaceRecogniser:
    if weights is None:
        raise WeightsError(
            f"face embedder {name!r} needs its weights: convert the published file with "
            f"'toolkit weights import' (kind {architecture.kind}) and name the result"
        )
    tensors, _ = read_weights(weights)
    recogniser = architecture.build(tensors)
    load_strictly(recogniser, tensors, str(weights))
    return recogniser.eval().requires_grad_(False)
