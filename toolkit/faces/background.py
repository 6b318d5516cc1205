"""Head against background: classical mattings that need no download, and putting a head on another background.

A mask is float32 [H, W] in [0, 1], 1 = head (with hair, neck and shoulders).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toolkit.errors import InputError, MissingDependencyError
from toolkit.faces.detection import detect_faces
from toolkit.faces.head_prior import HeadPrior, head_prior
from toolkit.faces.images import check_rgb, resize
from toolkit.faces.template import STANDARD_FACE, check_landmarks

WHITE = (255, 255, 255)
WORKING_SIDE = 320
"""Longer side in pixels at which GrabCut runs."""
ITERATIONS = 5
KEY_TOLERANCE = 8
"""Largest difference of a channel (of 255) from the background's colour that still counts as background."""
UNIFORM_SHARE = 0.93
"""How much of the upper border must have one colour for a background to be called uniform."""


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


class UniformMatting:
    """The matting `white`: keys out a background of nearly one colour that touches the picture's border."""

    def matte(self, image: np.ndarray, landmarks: np.ndarray | None = None) -> np.ndarray:
        """Matte a uint8 RGB picture [H, W, 3]; landmarks are not needed.

        Raises:
            InputError: Not a uint8 RGB picture, or a background of many colours.
        """
        del landmarks
        colour = uniform_background(image)
        if colour is None:
            raise InputError("the background is not of one colour: use the matting 'grabcut' or give a mask")
        return key_out(image, colour)


def uniform_background(image: np.ndarray) -> np.ndarray | None:
    """The colour [3] (float) of a background that is nearly uniform, None where it is not.

    Judged by the top edge and the upper halves of the sides, where no shoulders are.
    """
    check_rgb(image)
    half = max(image.shape[0] // 2, 1)
    border = np.concatenate([image[0], image[:half, 0], image[:half, -1]]).astype(float)
    colour = np.median(border, axis=0)
    share = (np.abs(border - colour).max(axis=1) <= KEY_TOLERANCE).mean()
    return colour if share >= UNIFORM_SHARE else None


def key_out(image: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Mask [H, W] of what is not background of that colour; only what hangs together with the border is background.

    Pixels on the outline get a share: their distance from the background's colour against that of the head beside them.
    """
    from scipy import ndimage

    distance = np.abs(image.astype(np.float32) - colour).max(axis=2)
    labels, _ = ndimage.label(distance <= KEY_TOLERANCE)
    touching = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    background = np.isin(labels, touching[touching > 0])
    outline = ndimage.binary_dilation(background, np.ones((3, 3))) & ~background
    beside = ndimage.maximum_filter(np.where(background, 0, distance), size=5)
    share = np.clip(distance / np.maximum(beside, 1), 0, 1)
    return np.where(background, 0, np.where(outline, share, 1)).astype(np.float32)


def composite(image: np.ndarray, mask: np.ndarray, colour: Sequence[float] = WHITE) -> np.ndarray:
    """Put the head of uint8 [H, W, 3] on one colour (0..255).

    Soft outlines take their colour from inside the head, so that the old background does not shine through.

    Raises:
        InputError: Mask and image differ in size.
    """
    check_rgb(image)
    if mask.shape != image.shape[:2]:
        raise InputError(f"the mask is {list(mask.shape)}, the image {list(image.shape[:2])}: they must be of one size")
    share = mask[..., None].astype(np.float32)
    pixels = _inner_colours(image.astype(np.float32), mask)
    return (share * pixels + (1 - share) * np.asarray(colour, dtype=np.float32)).round().clip(0, 255).astype(np.uint8)


def replace_uniform(image: np.ndarray, mask: np.ndarray, old: np.ndarray, new: Sequence[float]) -> np.ndarray:
    """Change a uniform background's colour; exact, outlines included. Nothing changes where the colours agree."""
    change = np.asarray(new, dtype=np.float32) - old.astype(np.float32)
    if np.abs(change).max() <= KEY_TOLERANCE:
        return image
    return (image + (1 - mask[..., None]) * change).round().clip(0, 255).astype(np.uint8)


def _inner_colours(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    inside = (mask > 0.95).astype(np.float32)
    if not inside.any():
        return pixels
    sigma = max(2.0, 0.008 * max(mask.shape))
    weight = ndimage.gaussian_filter(inside, sigma)
    total = ndimage.gaussian_filter(pixels * inside[..., None], (sigma, sigma, 0))
    spread = total / np.maximum(weight, 1e-4)[..., None]
    known = ((mask <= 0.95) & (weight > 1e-3))[..., None]
    return np.where(known, spread, pixels)


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
