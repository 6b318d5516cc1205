"""Where a head, its hair and its shoulders usually are, as seen from the landmarks: what a matting starts from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from toolkit.faces.pose import affine_fit, affine_rotation, angles_from_rotation

SKULL_CENTRE = np.array([0.0, 0.38, -0.35])
"""Centre of skull and hair in face units (see `toolkit.faces.template`)."""
SKULL_HALF_AXES = np.array([0.92, 1.08, 1.05])
NECK_WIDTH, SHOULDER_WIDTH = 0.55, 2.3
"""Half widths in face units at the chin and at the shoulders' end."""
CHIN, NECK_END, SHOULDER_END = -0.72, -1.15, -1.9
"""Heights (y, upwards) in face units."""


class HeadPrior(NamedTuple):
    """Regions of a picture, each bool [H, W]."""

    surely_head: np.ndarray
    probably_head: np.ndarray
    surely_background: np.ndarray


def head_prior(shape: tuple[int, int], landmarks: np.ndarray) -> HeadPrior:
    """Regions for a picture of shape (height, width) whose face has landmarks [5, 2] in its pixels."""
    fit = affine_fit(landmarks)
    rotation = affine_rotation(fit)
    roll = angles_from_rotation(rotation).roll
    y, x = np.mgrid[: shape[0], : shape[1]]
    # head-upright coordinates in face units, y up, origin at the standard face's
    right, up = (x - fit.offset[0]) / fit.scale, (fit.offset[1] - y) / fit.scale
    across, height = np.cos(roll) * right - np.sin(roll) * up, np.sin(roll) * right + np.cos(roll) * up

    yaw = angles_from_rotation(rotation).yaw
    centre_x = -np.sin(yaw) * SKULL_CENTRE[2]
    half_width = float(np.hypot(SKULL_HALF_AXES[0] * np.cos(yaw), SKULL_HALF_AXES[2] * np.sin(yaw)))
    skull = _ellipse(across - centre_x, height - SKULL_CENTRE[1], half_width, SKULL_HALF_AXES[1])

    face_width = 0.52 * abs(np.cos(yaw)) + 0.22 * abs(np.sin(yaw))
    face = _ellipse(across + 0.2 * np.sin(yaw), height + 0.05, face_width, 0.62) < 1
    crown = _ellipse(across - centre_x, height - 0.7, 0.4, 0.3) < 1
    neck = (np.abs(across - centre_x) < 0.3) & (height < -0.5) & (height > NECK_END - 0.35)
    chest = np.abs(across - centre_x) < np.interp(-height, [-NECK_END, -SHOULDER_END], [0.3, 1.2])
    shoulders = np.abs(across - centre_x) < _body_half_width(height)
    far = (_ellipse(across - centre_x, height - 0.3, half_width + 0.85, 1.85) > 1) & (height > NECK_END)
    beside = (np.abs(across - centre_x) > _body_half_width(height) + 0.9) & (height <= NECK_END)
    return HeadPrior(face | crown | neck | (chest & (height < NECK_END)), (skull < 1) | shoulders, far | beside)


def _body_half_width(height: np.ndarray) -> np.ndarray:
    widths = np.interp(-height, [-CHIN, -NECK_END, -SHOULDER_END], [NECK_WIDTH, NECK_WIDTH + 0.35, SHOULDER_WIDTH])
    return np.where(height < CHIN + 0.2, widths, 0.0)


def _ellipse(x: np.ndarray, y: np.ndarray, half_width: float, half_height: float) -> np.ndarray:
    """The distance from an ellipse's centre in units of its axes: below 1 inside."""
    return np.hypot(x / half_width, y / half_height)
