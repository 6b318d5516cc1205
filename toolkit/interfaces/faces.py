"""The replaceable parts between a photograph and (image, camera, mask)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from toolkit.interfaces.generator import GeneratorSpec


class Pose(NamedTuple):
    """Where a generator's camera must stand to see a photo's face as the photo does."""

    rotation: np.ndarray
    """[3, 3], columns are the camera's right, down and forward in the world."""
    method: str
    """Which estimator said so."""


@runtime_checkable
class PoseEstimator(Protocol):
    """From five landmarks to a head pose."""

    def estimate(self, landmarks: np.ndarray, spec: GeneratorSpec) -> Pose:
        """Landmarks [5, 2] in pixels (eyes, nose tip, mouth corners; image-left first) to a pose."""
        ...


@runtime_checkable
class FaceEmbedder(Protocol):
    """From an aligned face to a unit vector of identity."""

    def embed(self, face: Tensor) -> Tensor:
        """Aligned crops [B, 3, P, P] in [-1, 1] to unit vectors [B, E]."""
        ...


@runtime_checkable
class Matting(Protocol):
    """From a photo to the head's mask."""

    def matte(self, image: np.ndarray, landmarks: np.ndarray | None) -> np.ndarray:
        """RGB image [H, W, 3] uint8 and landmarks [5, 2] in pixels, if known, to a mask [H, W] float32 in [0, 1]."""
        ...
