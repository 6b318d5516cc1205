"""Pose rebalancing as LPFF does it: rare camera directions are drawn more often."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import numpy as np

from toolkit.cache import cache_folder
from toolkit.camera import Camera
from toolkit.errors import InputError, OutputError
from toolkit.files import atomic_write

_TARGET = 0.24
_MOST_ROUNDED = 4
_LEAST_VARIANCE = 1e-10
_MANY = 5000
"""Cameras from which on densities are kept."""


def pose_density(cameras: Camera) -> np.ndarray:
    """Density [N] of camera directions, per square radian, at each of N cameras.

    A Gaussian kernel estimate (Scott's bandwidth) over two angles of the camera's position (x, y, z):
    phi = atan2(z, y) and theta = arccos(x / r), both 90 degrees at the front. Mirrored pictures belong in the list.
    The time grows with N squared (minutes for FFHQ and LPFF with their mirrors): lists of thousands are kept in the
    user's cache, under a name made of the cameras, if it can be written.

    Raises:
        InputError: Fewer than three cameras, or all on one line of directions.
    """
    x, y, z = cameras.position.detach().cpu().double().numpy().T
    angles = np.stack([np.arctan2(np.hypot(y, z), x), np.arctan2(z, y)])
    if angles.shape[1] < 3 or np.linalg.eigvalsh(np.cov(angles))[0] < _LEAST_VARIANCE:
        raise InputError("pose rebalancing needs at least three cameras in different directions, not on one line")
    from scipy.stats import gaussian_kde  # takes most of a second to import, and inversion comes by here

    if angles.shape[1] < _MANY:
        return gaussian_kde(angles)(angles)
    kept = cache_folder("densities", f"{hashlib.sha256(angles.tobytes()).hexdigest()[:16]}.npy")
    found = _kept_density(kept, angles.shape[1])
    if found is None:
        found = gaussian_kde(angles)(angles)
        _keep(kept, found)
    return found


def _keep(kept: Path, density: np.ndarray) -> None:
    """Keep densities where that is possible; a cache that cannot be written only costs the next start its time."""
    with contextlib.suppress(OutputError), atomic_write(kept) as path, open(path, "wb") as file:
        np.save(file, density)


def _kept_density(path: Path, count: int) -> np.ndarray | None:
    """What an earlier call kept; None where there is nothing, or something else."""
    try:
        found = np.load(path, allow_pickle=False)
    except Exception:  # numpy reads the header as Python source, which fails in many ways
        return None
    sound = isinstance(found, np.ndarray) and found.shape == (count,) and found.dtype == np.float64
    return found if sound and np.isfinite(found).all() else None


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
