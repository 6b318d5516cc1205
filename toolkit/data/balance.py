"""Pose rebalancing as LPFF does it: rare camera directions are drawn more often."""

from __future__ import annotations

import numpy as np
from scipy.stats import gaussian_kde

from toolkit.camera import Camera
from toolkit.errors import InputError

_TARGET = 0.24
_MOST_ROUNDED = 4
_LEAST_VARIANCE = 1e-10


def pose_density(cameras: Camera) -> np.ndarray:
    """Density [N] of camera directions, per square radian, at each of N cameras.

    A Gaussian kernel estimate (Scott's bandwidth) over two angles of the camera's position (x, y, z):
    phi = atan2(z, y) and theta = arccos(x / r), both 90 degrees at the front. Mirrored pictures belong in the list.

    Raises:
        InputError: Fewer than three cameras, or all on one line of directions.
    """
    x, y, z = cameras.position.detach().cpu().double().numpy().T
    angles = np.stack([np.arctan2(np.hypot(y, z), x), np.arctan2(z, y)])
    if angles.shape[1] < 3 or np.linalg.eigvalsh(np.cov(angles))[0] < _LEAST_VARIANCE:
        raise InputError("pose rebalancing needs at least three cameras in different directions, not on one line")
    return gaussian_kde(angles)(angles)


def rebalancing_weights(density: np.ndarray) -> np.ndarray:
    """How often an item of a given pose density should be drawn, relative to a common pose.

    clip(round(0.24 / d), 1, 4), but 5 for 0.02 <= d < 0.03 and 6 for d < 0.02: the copies in LPFF's list.

    Args:
        density: [N], not negative (see `pose_density`).

    Returns:
        [N] float64.

    Raises:
        InputError: A density is negative or not finite.
    """
    density = np.asarray(density, dtype=np.float64)
    if not np.isfinite(density).all() or (density < 0).any():
        raise InputError("pose densities must be finite and not negative")
    copies = np.clip(np.round(_TARGET / np.maximum(density, 1e-6)), 1, _MOST_ROUNDED)
    return np.where(density < 0.02, 6.0, np.where(density < 0.03, 5.0, copies))
