"""Whether a face is where the camera label says: a detected face is compared with the label."""

from __future__ import annotations

import math

import numpy as np

from toolkit.camera import Camera
from toolkit.errors import MissingDependencyError
from toolkit.faces.detection import CONFIDENT, Face, detect_faces
from toolkit.faces.pose import Angles, angles_from_rotation, five_point_rotation
from toolkit.faces.template import PANOHEAD_SCALE, PANOHEAD_SHIFT, STANDARD_FACE

SURE = 0.97
"""Probability from which a detected face counts as evidence."""
HIDDEN_FROM = math.radians(115)
"""Yaw from which no face is seen."""
ANGLE_LIMIT = math.radians(40)
"""Difference of direction that no five-point estimate is wrong by."""
PROFILE = math.radians(75)
"""Largest yaw that five points can tell: a face that is turned further looks like less, often like 50 degrees."""
MIRRORED_FROM = math.radians(18)
"""Yaw from which a wrong sign is told from noise."""
PLACE_LIMIT = 0.25
"""Of the picture's side."""
SIZE_LIMIT = 1.9
NARROW = 0.73
"""Share of the usual distance between the eyes below which a face turns away from the camera (see `_turns_away`)."""


def face_disagreement(image: np.ndarray, camera: Camera) -> str | None:
    """Say how the face in a picture contradicts a camera label; None where it does not, or where no face is sure.

    Args:
        image: uint8 [H, W, 3], the square picture that the label belongs to.
        camera: Its camera (batch of 1).
    """
    try:
        faces = [face for face in detect_faces(image) if face.probability >= max(SURE, CONFIDENT)]
    except MissingDependencyError:
        return None
    faces = [face for face in faces if not _turns_away(face)]
    if not faces:
        return None
    side = max(image.shape[:2])
    found = [_contradiction(face, camera, side) for face in faces]
    return None if None in found else found[0]  # one face that agrees is enough


def _turns_away(face: Face) -> bool:
    """Whether a face is seen from behind its profile, where five points say nothing about direction and place.

    The detector also finds faces whose far eye is hidden. It puts both eyes onto what is left of the face, so they
    lie closer together than in any view from the direction that the five points suggest: on rendered people at yaws of
    100 to 130 degrees 0.50 to 0.62 times as far apart as usual, up to a yaw of 75 degrees 0.89 times or farther.
    """
    yaw = angles_from_rotation(five_point_rotation(face.landmarks)).yaw
    usual = _eyes_over_height(STANDARD_FACE[:, :2]) * math.cos(yaw)
    return _eyes_over_height(face.landmarks) < NARROW * usual


def _eyes_over_height(points: np.ndarray) -> float:
    """Distance between the eyes over distance from eyes to mouth, of points [5, 2]."""
    height = float(np.linalg.norm(points[3:].mean(axis=0) - points[:2].mean(axis=0)))
    return float(np.linalg.norm(points[1] - points[0])) / max(height, 1e-6)


def _contradiction(face: Face, camera: Camera, side: int) -> str | None:
    seen = angles_from_rotation(five_point_rotation(face.landmarks))
    label = Angles(*(float(angle) for angle in camera.angles()))
    if abs(label.yaw) > HIDDEN_FROM:
        return (
            f"a face is seen where the label says the back of the head (yaw {_degrees(label.yaw)}): front and back are "
            "swapped, or the label is another picture's"
        )
    turned = _turn(seen.roll - label.roll)
    if abs(turned) > math.radians(60):
        return f"the face is rolled by {_degrees(turned)} against the label: the picture is turned, or the label is"
    if abs(seen.yaw + label.yaw) < ANGLE_LIMIT / 2 and min(abs(seen.yaw), abs(label.yaw)) > MIRRORED_FROM:
        return (
            f"the face is seen from yaw {_degrees(seen.yaw)}, the label says {_degrees(label.yaw)}: left and right are "
            "swapped"
        )
    expected = max(-PROFILE, min(PROFILE, label.yaw))
    if max(abs(_turn(seen.yaw - expected)), abs(seen.pitch - label.pitch)) > ANGLE_LIMIT:
        return (
            f"the face is seen from yaw {_degrees(seen.yaw)} and pitch {_degrees(seen.pitch)}, the label says "
            f"{_degrees(label.yaw)} and {_degrees(label.pitch)}"
        )
    return _misplaced(face, camera, side)


def _misplaced(face: Face, camera: Camera, side: int) -> str | None:
    import torch

    points = torch.from_numpy(PANOHEAD_SCALE * STANDARD_FACE + PANOHEAD_SHIFT).to(camera.label)
    expected, found = camera.project(points)[0].double().numpy(), face.landmarks / side
    offset = float(np.linalg.norm(found.mean(0) - expected.mean(0)))
    size = float(_spread(found) / max(_spread(expected), 1e-6))
    if not 1 / SIZE_LIMIT < size < SIZE_LIMIT:
        return f"the face is {size:.1f} times as large as the label says: another crop, focal length or distance"
    if offset > PLACE_LIMIT:
        return f"the face lies {100 * offset:.0f} % of the picture's side beside where the label puts it"
    return None


def _spread(points: np.ndarray) -> float:
    return float(np.linalg.norm(points - points.mean(axis=0), axis=1).mean())


def _turn(angle: float) -> float:
    """An angle between -pi and pi."""
    return (angle + math.pi) % (2 * math.pi) - math.pi


def _degrees(angle: float) -> str:
    return f"{round(math.degrees(angle))} degrees"
