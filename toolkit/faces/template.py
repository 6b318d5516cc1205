"""The standard face: where five points of an average face lie, in the frames that photos are aligned to.

Order everywhere: image-left eye, image-right eye, nose tip, image-left mouth corner, image-right mouth corner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from toolkit.errors import InputError

if TYPE_CHECKING:
    from toolkit.interfaces.generator import GeneratorSpec

STANDARD_FACE = np.array(
    [
        [-0.31148657, 0.29036078, 0.13377953],
        [0.30979887, 0.28972036, 0.13179526],
        [0.00325350, -0.04617932, 0.55244243],
        [-0.25216928, -0.38133916, 0.22405732],
        [0.24846620, -0.38128236, 0.22235769],
    ]
)
"""[5, 3] in face units (about a decimetre): x to the image's right, y up, z to the viewer."""

PANOHEAD_SCALE = 0.2376
"""World units of PanoHead per face unit; fitted to a handful of its crops, hence not sacred."""
PANOHEAD_SHIFT = np.array([0.0, -0.0331, 0.0887])
"""Where PanoHead's world has the standard face's origin."""

ARCFACE_TEMPLATE = np.array(
    [
        [38.29459953, 51.69630051],
        [73.53179932, 51.50139999],
        [56.02519989, 71.73660278],
        [41.54930115, 92.36550140],
        [70.72990036, 92.20410156],
    ]
)
"""[5, 2]: the points' places in the 112 px crop of the identity networks."""
ARCFACE_SIZE = 112


def face_points(spec: GeneratorSpec) -> np.ndarray:
    """The five points [5, 3] of a generator's average face in its world; PanoHead's where it names none."""
    if spec.face_points:
        points = np.asarray(spec.face_points, dtype=float)
        if points.shape != (5, 3):
            raise InputError(f"generator {spec.name!r} must name five face points in 3D, got {list(points.shape)}")
        return points
    return PANOHEAD_SCALE * STANDARD_FACE + PANOHEAD_SHIFT


def check_landmarks(landmarks: np.ndarray) -> np.ndarray:
    """Return landmarks as float64 [5, 2].

    Raises:
        InputError: Another shape, not numbers, NaN, or all points in (nearly) one place.
    """
    try:
        points = np.asarray(landmarks, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"landmarks must be five pairs of numbers: {error}") from error
    if points.shape != (5, 2):
        raise InputError(
            f"landmarks must be five (x, y) pairs (eyes, nose tip, mouth corners), got shape {list(points.shape)}"
        )
    if not np.isfinite(points).all():
        raise InputError("landmarks hold NaN or infinity")
    if np.ptp(points, axis=0).max() < 2:
        raise InputError("landmarks lie within two pixels of each other: that is not a face")
    return points
