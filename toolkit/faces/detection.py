"""Faces in a photograph, found by the MTCNN whose networks lie inside the facenet-pytorch package (no download)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolkit.errors import InputError, MissingDependencyError
from toolkit.faces.images import check_rgb, resize

if TYPE_CHECKING:
    from facenet_pytorch import MTCNN

DEFAULT_THRESHOLDS = (0.6, 0.7, 0.7)
LOWERED_THRESHOLDS = (0.15, 0.25, 0.35)
"""Those of the pSp family's identity metric: slower, and more than faces passes them."""
CONFIDENT = 0.9
"""Below it a find only counts if nothing better is there."""
PLAUSIBLE = 0.8
"""Below it a find never counts: rockets reach 0.65."""
WORKING_SIDES = (640, 1600)
"""Longer side in pixels at which is looked for faces: first the fast one; the other for small faces."""
SMALLEST_WORKING_SIDE = 320
"""Photos below it are enlarged: the networks know no face smaller than 20 px."""
SMALL_FACE = 40.0
"""Boxes below this many working pixels are looked at again at the next working size (the networks see 48 px)."""


@dataclass(frozen=True, eq=False)
class Face:
    """One face in a photo."""

    landmarks: np.ndarray
    """[5, 2] pixels: image-left eye, image-right eye, nose tip, image-left and image-right mouth corner."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels."""
    probability: float

    @property
    def area(self) -> float:
        """Square pixels of the box."""
        left, top, right, bottom = self.box
        return max(right - left, 0.0) * max(bottom - top, 0.0)


def detect_faces(image: np.ndarray) -> list[Face]:
    """Find the faces in a uint8 RGB photo [H, W, 3], the largest first; empty if there is none.

    Raises:
        InputError: Not a uint8 RGB image.
        MissingDependencyError: facenet-pytorch is not installed.
    """
    check_rgb(image)
    found: list[Face] = []
    for side in _working_sides(image):
        working, factor = _scaled(image, side)
        found = _confident(_run(working, factor, DEFAULT_THRESHOLDS)) or found
        if found and max(face.area for face in found) ** 0.5 * factor >= SMALL_FACE:
            break
    if not found:
        working, factor = _scaled(image, _working_sides(image)[0])
        found = sorted(_run(working, factor, LOWERED_THRESHOLDS), key=lambda face: -face.probability)[:1]
    return sorted(found, key=lambda face: -face.area)


def choose_face(faces: list[Face], index: int | None = None) -> Face:
    """The face to work on: number `index` of the list (0 = the largest, which is also the default).

    Raises:
        InputError: No faces, or no such number.
    """
    if not faces:
        raise InputError("no face was found: give its camera (--camera) or its five points (--landmarks)")
    if index is None:
        return faces[0]
    if not 0 <= index < len(faces):
        raise InputError(f"face {index} was asked for, the photo has only 0 to {len(faces) - 1} (largest first)")
    return faces[index]


def _working_sides(image: np.ndarray) -> list[int]:
    longer = max(image.shape[:2])
    sides = [side for side in WORKING_SIDES if side < longer]
    if len(sides) < len(WORKING_SIDES):
        sides.append(max(longer, SMALLEST_WORKING_SIDE))
    return sides


def _scaled(image: np.ndarray, side: int) -> tuple[np.ndarray, float]:
    height, width = image.shape[:2]
    factor = side / max(height, width)
    return resize(image, max(round(width * factor), 1), max(round(height * factor), 1)), factor


def _run(image: np.ndarray, factor: float, thresholds: tuple[float, float, float]) -> list[Face]:
    if min(image.shape[:2]) < 24:  # the first network's window would not fit
        return []
    try:
        boxes, probabilities, landmarks = _detector(thresholds).detect(image, landmarks=True)
    except (RuntimeError, ValueError) as error:
        if "non-empty list" in str(error):  # facenet-pytorch joins candidates although none lies in the picture
            return []
        raise
    if boxes is None:
        return []
    faces = []
    for box, probability, points in zip(boxes, probabilities, landmarks, strict=True):
        # facenet-pytorch returns arrays of dtype object, on which numpy's functions fail
        corners = np.asarray(box.tolist(), dtype=float) / factor
        pixels = np.asarray(points.tolist(), dtype=float) / factor
        if probability >= PLAUSIBLE and looks_like_a_face(pixels):
            faces.append(Face(pixels, (*corners.tolist(),), float(probability)))
    return faces


def looks_like_a_face(landmarks: np.ndarray) -> bool:
    """Whether the mouth lies below the eyes as the face itself sees it, and neither has shrunk to a point."""
    eyes, mouth = landmarks[1] - landmarks[0], landmarks[4] - landmarks[3]
    down = landmarks[3:].mean(axis=0) - landmarks[:2].mean(axis=0)
    length = float(np.hypot(*down))
    across = max(float(np.hypot(*eyes)), float(np.hypot(*mouth)))
    if length < 3 or across < 0.1 * length or across > 4 * length:
        return False
    right = eyes / max(float(np.hypot(*eyes)), 1e-6)
    return bool(right[0] * down[1] - right[1] * down[0] > 0.3 * length)


def _confident(faces: list[Face]) -> list[Face]:
    return [face for face in faces if face.probability >= CONFIDENT] or faces


@functools.cache
def _detector(thresholds: tuple[float, float, float]) -> MTCNN:
    try:
        from facenet_pytorch import MTCNN
    except ImportError as error:
        raise MissingDependencyError("facenet-pytorch", "face detection", "all") from error
    return MTCNN(keep_all=True, thresholds=list(thresholds), factor=0.707, min_face_size=20, device="cpu")
