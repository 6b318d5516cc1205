"""Tilted faces are turned upright and detected again, because the detector is less exact on tilted faces."""

from __future__ import annotations

import math

import numpy as np

from toolkit.faces.alignment import arcface_matrix
from toolkit.faces.detection import detect_faces
from toolkit.faces.warp import inverse, transform, warp

TILT = math.radians(10)
"""Tilt of the eyes from which a face is looked at again."""
WINDOW = 320
"""Side in pixels of the upright window; the face takes about a third of it."""
AGREEMENT = 0.35
"""How far apart, in eye-to-mouth distances, the two finds may lie on average to be of the same face."""


def level_landmarks(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Detect a tilted face again in an upright window of the photo.

    Args:
        image: uint8 RGB [H, W, 3].
        landmarks: [5, 2] pixels, as first found.

    Returns:
        [5, 2] pixels; the first find where the face is upright, or not found again in the same place.
    """
    across = (landmarks[1] - landmarks[0]) + (landmarks[4] - landmarks[3])
    if abs(math.atan2(across[1], across[0])) < TILT:
        return landmarks
    matrix = arcface_matrix(landmarks)
    matrix[:, 2] += (WINDOW - 112) / 2
    before = transform(matrix, landmarks)
    size = float(np.hypot(*(before[3:].mean(axis=0) - before[:2].mean(axis=0))))
    finds = [face.landmarks for face in detect_faces(warp(image, matrix, WINDOW))]
    distances = [float(np.hypot(*(points - before).T).mean()) for points in finds]
    if not distances or min(distances) > AGREEMENT * size:
        return landmarks
    return transform(inverse(matrix), finds[int(np.argmin(distances))])
