"""Cutting a head out of a photo with OpenCV's GrabCut, started from where a head must be."""

from __future__ import annotations

import numpy as np

from toolkit.errors import MissingDependencyError
from toolkit.faces.detection import detect_faces
from toolkit.faces.head_prior import HeadPrior, head_prior
from toolkit.faces.images import check_rgb, resize
from toolkit.faces.template import STANDARD_FACE, check_landmarks

WORKING_SIDE = 320
"""Longer side in pixels at which GrabCut runs."""
ITERATIONS = 5


class GrabCutMatting:
    """The matting `grabcut`: colour models of head and background, started from where a head usually is."""

    def matte(self, image: np.ndarray, landmarks: np.ndarray | None = None) -> np.ndarray:
        """Matte a uint8 RGB picture [H, W, 3].

        Args:
            image: The photo or a part of it.
            landmarks: [5, 2] pixels; found in the picture, or taken from the middle of it, where not given.

        Raises:
            InputError: Not a uint8 RGB picture, or landmarks that cannot be a face.
            MissingDependencyError: OpenCV is not installed.
        """
        check_rgb(image)
        points = _landmarks_in(image) if landmarks is None else check_landmarks(landmarks)
        height, width = image.shape[:2]
        factor = min(WORKING_SIDE / max(height, width), 1.0)
        working = resize(image, max(round(width * factor), 8), max(round(height * factor), 8))
        prior = head_prior(working.shape[:2], (points + 0.5) * factor - 0.5)
        hard = _clean(_grabcut(working, prior), prior)
        soft = _follow_edges(working, hard)
        return resize(soft, width, height).clip(0, 1)


def _landmarks_in(image: np.ndarray) -> np.ndarray:
    faces = detect_faces(image)
    if faces:
        return faces[0].landmarks
    height, width = image.shape[:2]
    scale = 0.4 * min(height, width)
    return STANDARD_FACE[:, :2] * [scale, -scale] + [width / 2, 0.55 * height]


def _grabcut(image: np.ndarray, prior: HeadPrior) -> np.ndarray:
    try:
        import cv2
    except ImportError as error:
        raise MissingDependencyError("opencv-python-headless", "the matting 'grabcut'", "all") from error
    state = np.full(image.shape[:2], cv2.GC_PR_BGD, np.uint8)
    state[prior.probably_head] = cv2.GC_PR_FGD
    state[prior.surely_background] = cv2.GC_BGD
    state[prior.surely_head] = cv2.GC_FGD
    if not (state % 2 == 0).any() or not (state % 2 == 1).any():
        return prior.probably_head
    cv2.setRNGSeed(0)
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0)  # single hairs and cloth would weaken the outline
    outside, inside = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(smooth, state, (0, 0, 0, 0), outside, inside, ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return (state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD)


def _clean(head: np.ndarray, prior: HeadPrior) -> np.ndarray:
    """Keep what hangs together with the face or lies mostly where a body is likely, without holes and threads."""
    from scipy import ndimage

    unit = max(head.shape) / 100
    labels, count = ndimage.label(ndimage.binary_opening(head, _disk(0.6 * unit)) | prior.surely_head)
    every = range(1, count + 1)
    sizes = ndimage.sum_labels(np.ones(head.shape), labels, every)
    likely = ndimage.mean(prior.probably_head, labels, every) > 0.8
    seeded = ndimage.maximum(prior.surely_head, labels, every) > 0
    kept = [label for label in every if seeded[label - 1] or (likely[label - 1] and sizes[label - 1] > 20 * unit**2)]
    width = round(2 * unit) + 1
    piece = np.pad(np.isin(labels, kept), width, mode="edge")
    closed = ndimage.binary_closing(piece, _disk(2 * unit))
    filled = ndimage.binary_fill_holes(closed)[width:-width, width:-width]
    found = (filled & prior.probably_head).sum() / max(prior.probably_head.sum(), 1)
    return filled if found > 0.3 else prior.probably_head


def _disk(radius: float) -> np.ndarray:
    reach = max(1, round(radius))
    return np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= reach


def _follow_edges(image: np.ndarray, hard: np.ndarray) -> np.ndarray:
    """Soften a hard mask so that it follows the picture's own edges (guided filter, grey guide)."""
    from scipy import ndimage

    guide = image.astype(np.float64).mean(axis=2) / 255
    size = 2 * max(2, round(0.008 * max(hard.shape))) + 1
    target = hard.astype(np.float64)

    def mean(values: np.ndarray) -> np.ndarray:
        return ndimage.uniform_filter(values, size)

    centre, level = mean(guide), mean(target)
    slope = (mean(guide * target) - centre * level) / (mean(guide * guide) - centre * centre + 1e-3)
    soft = mean(slope) * guide + mean(level - slope * centre)
    return ((soft - 0.1) / 0.8).clip(0, 1).astype(np.float32)
