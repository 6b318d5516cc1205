from __future__ import annotations

import math

import numpy as np
import pytest

from toolkit.faces.detection import Face, choose_face, detect_faces
from toolkit.faces.levelling import level_landmarks
from toolkit.faces.pose import angles_from_rotation, five_point_rotation
from toolkit.faces.warp import transform, warp


def turned(image: np.ndarray, degrees: float, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture turned about a point, and the matrix that did it."""
    a, b = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    linear = np.array([[a, -b], [b, a]])
    matrix = np.column_stack([linear, np.array([200.0, 200.0]) - linear @ centre])
    return warp(image, matrix, 400), matrix


@pytest.mark.parametrize("degrees", [-40, 40])
def test_tilted_faces_are_found_as_well_as_upright_ones(astronaut: np.ndarray, astronaut_face: Face, degrees: float):
    centre = astronaut_face.landmarks.mean(axis=0)
    photo, matrix = turned(astronaut, degrees, centre)
    truth = transform(matrix, astronaut_face.landmarks)
    first = choose_face(detect_faces(photo)).landmarks
    better = level_landmarks(photo, first)
    assert np.abs(better - truth).mean() < 2.5
    assert np.abs(better - truth).mean() < np.abs(first - truth).mean()
    angles = np.degrees(angles_from_rotation(five_point_rotation(better)))
    assert abs(angles[0]) < 6 and abs(angles[2]) == pytest.approx(40, abs=7)


def test_upright_faces_are_left_alone(astronaut: np.ndarray, astronaut_face: Face):
    assert level_landmarks(astronaut, astronaut_face.landmarks) is astronaut_face.landmarks


def test_points_where_no_face_is_found_again_are_kept():
    points = np.array([[40.0, 40.0], [60.0, 60.0], [40.0, 60.0], [25.0, 60.0], [40.0, 75.0]])
    assert level_landmarks(np.full((120, 120, 3), 90, np.uint8), points) is points
