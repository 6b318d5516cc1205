"""Head pose from five landmarks, and the camera that a pose means for a generator.

A rotation [3, 3] has the camera's right, down and forward in the world as its columns. Angles are radians: yaw positive
when the camera stands at the image's right of the face (+x), pitch positive when it looks from above, roll about the
viewing axis; as in `toolkit.camera`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from toolkit.faces.template import STANDARD_FACE, check_landmarks
from toolkit.interfaces.faces import Pose

if TYPE_CHECKING:
    from toolkit.camera import Camera
    from toolkit.interfaces.generator import GeneratorSpec, Orbit

YAW_GAIN = 1.17
"""Five-point fits underestimate yaw by a sixth (measured against labelled photos)."""
CROP_SIDE = 700 / 300
"""Side of the usual face crop in face units: what 'image width' means for the fit's noise."""
_DISTANCE = 10.0
"""Of the camera from the face, in face units."""
_LANDMARK_NOISE = 0.012
"""Standard deviation of a landmark in image widths."""
_PITCH_PRIOR, _YAW_PRIOR = math.radians(50), math.radians(100)
_NOSE_PRIOR, _HEIGHT_PRIOR, _MOUTH_PRIOR = 0.2, 0.06, 0.06


class AffineFit(NamedTuple):
    """A linear map from face units to pixels, y up."""

    rows: np.ndarray
    """[2, 3] pixels per face unit: image x and image y (up) of a point."""
    offset: np.ndarray
    """[2] pixels, y down: where the standard face's origin appears."""

    @property
    def scale(self) -> float:
        """Pixels per face unit."""
        return float(np.linalg.norm(self.rows, axis=1).mean())


class Angles(NamedTuple):
    """Of a rotation, in radians."""

    yaw: float
    pitch: float
    roll: float


class FivePointPose:
    """The estimator `five_point`: yaw of a linear fit, pitch and roll of one that lets the face's shape vary."""

    def estimate(self, landmarks: np.ndarray, spec: GeneratorSpec) -> Pose:
        """Estimate the pose of landmarks [5, 2] in pixels.

        The standard human face is fitted whatever the generator is: the photo shows a person.

        Raises:
            InputError: Landmarks that cannot be a face.
        """
        del spec
        return Pose(five_point_rotation(landmarks), "five_point")


def five_point_rotation(landmarks: np.ndarray) -> np.ndarray:
    """Rotation [3, 3] of the camera that sees landmarks [5, 2] (pixels, y down) on an average face.

    Raises:
        InputError: Landmarks that cannot be a face.
    """
    points = check_landmarks(landmarks)
    linear = affine_rotation(affine_fit(points))
    shaped = shape_aware_rotation(points, linear)
    if shaped is None:
        shaped = linear
    angles = angles_from_rotation(shaped)
    yaw = YAW_GAIN * angles_from_rotation(linear).yaw
    return rotation_from_angles(float(np.clip(yaw, -math.pi, math.pi)), angles.pitch, angles.roll)


def affine_fit(landmarks: np.ndarray, face: np.ndarray = STANDARD_FACE) -> AffineFit:
    """Fit the linear map (least squares) from a face's points [5, 3] to landmarks [5, 2] in pixels."""
    target = landmarks * [1.0, -1.0]
    solution, *_ = np.linalg.lstsq(np.column_stack([face, np.ones(len(face))]), target, rcond=None)
    return AffineFit(solution[:3].T, solution[3] * [1.0, -1.0])


def affine_rotation(fit: AffineFit) -> np.ndarray:
    """The rotation nearest to a linear fit: rows normalised, replaced by the nearest orthonormal pair, completed."""
    rows = fit.rows / np.maximum(np.linalg.norm(fit.rows, axis=1, keepdims=True), 1e-12)
    u, _, vh = np.linalg.svd(rows, full_matrices=False)
    right, up = u @ vh
    return np.stack([right, -up, -np.cross(right, up)], axis=1)


def shape_aware_rotation(landmarks: np.ndarray, start: np.ndarray) -> np.ndarray | None:
    """Most probable rotation [3, 3] under weak perspective when nose depth, face height and mouth depth may vary.

    Args:
        landmarks: [5, 2] pixels, y down.
        start: Rotation to start from.

    Returns:
        The rotation, or None where the solver did not converge.
    """
    from scipy.optimize import least_squares

    fit = affine_fit(landmarks)
    observed = (landmarks - landmarks.mean(axis=0)) / (CROP_SIDE * fit.scale)

    def residuals(unknowns: np.ndarray) -> np.ndarray:
        rotation = start @ _rotation_from_vector(unknowns[:3])
        projected = np.exp(unknowns[3]) * _project(_shaped_face(unknowns[6:]), rotation) + unknowns[4:6]
        angles = angles_from_rotation(rotation)
        priors = unknowns[6:] / [_NOSE_PRIOR, _HEIGHT_PRIOR, _MOUTH_PRIOR]
        pose = [angles.pitch / _PITCH_PRIOR, angles.yaw / _YAW_PRIOR]
        return np.concatenate([((projected - observed) / _LANDMARK_NOISE).ravel(), pose, priors])

    unknowns = np.zeros(9)
    unknowns[3] = -math.log(CROP_SIDE)
    unknowns[4:6] = (fit.offset - landmarks.mean(axis=0)) / (CROP_SIDE * fit.scale)
    try:
        solution = least_squares(residuals, unknowns, method="trf", max_nfev=60)
    except (ValueError, np.linalg.LinAlgError):
        return None
    if not solution.success or not np.isfinite(solution.x).all():
        return None
    return start @ _rotation_from_vector(solution.x[:3])


def rotation_from_angles(yaw: float, pitch: float, roll: float = 0.0) -> np.ndarray:
    """Rotation [3, 3] of a camera in the direction (yaw, pitch) of the face, turned by roll about its viewing axis."""
    back = np.array([math.cos(pitch) * math.sin(yaw), math.sin(pitch), math.cos(pitch) * math.cos(yaw)])
    level_right = np.array([math.cos(yaw), 0.0, -math.sin(yaw)])
    level_up = np.cross(back, level_right)
    right = math.cos(roll) * level_right + math.sin(roll) * level_up
    up = math.cos(roll) * level_up - math.sin(roll) * level_right
    return np.stack([right, -up, -back], axis=1)


def angles_from_rotation(rotation: np.ndarray) -> Angles:
    """Yaw, pitch and roll of a rotation [3, 3]; the inverse of `rotation_from_angles`."""
    back, right = -rotation[:, 2], rotation[:, 0]
    yaw = math.atan2(back[0], back[2])
    level_right = np.array([math.cos(yaw), 0.0, -math.sin(yaw)])
    level_up = np.cross(back, level_right)
    return Angles(yaw, math.asin(float(np.clip(back[1], -1, 1))), math.atan2(right @ level_up, right @ level_right))


def without_roll(rotation: np.ndarray) -> np.ndarray:
    """The rotation [3, 3] in the same direction whose camera stands upright."""
    angles = angles_from_rotation(rotation)
    return rotation_from_angles(angles.yaw, angles.pitch)


def camera_from_rotation(rotation: np.ndarray, orbit: Orbit) -> Camera:
    """The camera (batch of 1) of a rotation [3, 3] on a generator's orbit; the pivot stays at the image's centre."""
    import torch

    from toolkit.camera import Camera, pinhole

    back, pivot = -rotation[:, 2], np.asarray(orbit.pivot, dtype=float)
    # position = pivot + t * back at the orbit's radius from the origin; t = radius for a pivot at the origin
    along = float(back @ pivot)
    reach = along**2 - float(pivot @ pivot) + orbit.radius**2
    position = pivot + (math.sqrt(max(reach, 0.0)) - along) * back
    cam2world = torch.eye(4, dtype=torch.float64)
    cam2world[:3, :3] = torch.from_numpy(np.ascontiguousarray(rotation))
    cam2world[:3, 3] = torch.from_numpy(position)
    return Camera.from_matrices(cam2world[None].float(), pinhole(orbit.focal))


def _shaped_face(shape: np.ndarray) -> np.ndarray:
    nose, height, mouth = shape
    face = STANDARD_FACE.copy()
    rest = face[[0, 1, 3, 4], 2].mean()
    face[2, 2] = rest + (face[2, 2] - rest) * np.exp(nose)
    face[:, 1] *= np.exp(height)
    face[3:, 2] += mouth
    return face


def _project(face: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    local = face @ rotation
    return local[:, :2] * (_DISTANCE / (_DISTANCE + local[:, 2:]))


def _rotation_from_vector(vector: np.ndarray) -> np.ndarray:
    angle = float(np.sqrt(vector @ vector))
    x, y, z = vector
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    if angle < 1e-8:
        return np.eye(3) + cross
    return np.eye(3) + math.sin(angle) / angle * cross + (1 - math.cos(angle)) / angle**2 * cross @ cross
