from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit.faces.pose import (
    YAW_GAIN,
    FivePointPose,
    affine_fit,
    affine_rotation,
    angles_from_rotation,
    camera_from_rotation,
    five_point_rotation,
    rotation_from_angles,
    shape_aware_rotation,
    without_roll,
)
from toolkit.faces.template import STANDARD_FACE
from toolkit.interfaces import GeneratorSpec, Orbit, PoseEstimator

yaws = st.floats(-1.0, 1.0)
pitches = st.floats(-0.5, 0.5)
rolls = st.floats(-0.6, 0.6)


def seen(rotation: np.ndarray, scale: float = 80.0, distance: float | None = None) -> np.ndarray:
    """Landmarks in pixels of the standard face, parallel or perspective projection."""
    local = STANDARD_FACE @ rotation
    factor = 1.0 if distance is None else distance / (distance + local[:, 2:])
    return local[:, :2] * factor * scale + [200.0, 150.0]


def degrees_apart(first: np.ndarray, second: np.ndarray) -> float:
    return math.degrees(math.acos(np.clip((np.trace(first.T @ second) - 1) / 2, -1, 1)))


@given(yaws, pitches, rolls)
def test_angles_and_rotations_are_each_others_inverse(yaw: float, pitch: float, roll: float):
    rotation = rotation_from_angles(yaw, pitch, roll)
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) > 0
    np.testing.assert_allclose(angles_from_rotation(rotation), (yaw, pitch, roll), atol=1e-9)


@given(yaws, pitches, rolls)
def test_the_angles_mean_what_the_camera_module_means(yaw: float, pitch: float, roll: float):
    camera = camera_from_rotation(rotation_from_angles(yaw, pitch, roll), Orbit())
    np.testing.assert_allclose([float(angle) for angle in camera.angles()], (yaw, pitch, roll), atol=2e-3)


@given(yaws, pitches, rolls, st.floats(5, 500))
def test_a_linear_camera_is_recovered_exactly(yaw: float, pitch: float, roll: float, scale: float):
    rotation = rotation_from_angles(yaw, pitch, roll)
    fit = affine_fit(seen(rotation, scale))
    np.testing.assert_allclose(affine_rotation(fit), rotation, atol=1e-6)
    assert fit.scale == pytest.approx(scale) and fit.offset.tolist() == pytest.approx([200, 150])


@settings(max_examples=20)
@given(yaws, pitches, rolls)
def test_the_shape_aware_fit_recovers_a_perspective_face(yaw: float, pitch: float, roll: float):
    rotation = rotation_from_angles(yaw, pitch, roll)
    points = seen(rotation, distance=10.0)
    found = shape_aware_rotation(points, affine_rotation(affine_fit(points)))
    assert found is not None and degrees_apart(found, rotation) < 2.0  # the weak prior pulls a little


@settings(max_examples=6)
@given(yaws, pitches, rolls)
def test_mirrored_faces_have_mirrored_poses(yaw: float, pitch: float, roll: float):
    points = seen(rotation_from_angles(yaw, pitch, roll))  # of a face that is not quite symmetric
    mirrored = (points * [-1, 1])[[1, 0, 2, 4, 3]]
    first, second = (angles_from_rotation(five_point_rotation(p)) for p in (points, mirrored))
    assert first.yaw == pytest.approx(-second.yaw, abs=0.06)
    assert first.pitch == pytest.approx(second.pitch, abs=0.06)
    assert first.roll == pytest.approx(-second.roll, abs=0.06)


@settings(max_examples=6)
@given(st.floats(0.2, 20), st.floats(-1000, 1000))
def test_the_photos_size_does_not_matter(scale: float, shift: float):
    points = seen(rotation_from_angles(0.4, 0.1, 0.2))
    other = points * scale + shift
    assert degrees_apart(five_point_rotation(points), five_point_rotation(other)) < 0.05


def test_yaw_is_the_linear_fits_times_the_measured_gain():
    points = seen(rotation_from_angles(0.5, 0.0))
    assert angles_from_rotation(five_point_rotation(points)).yaw == pytest.approx(0.5 * YAW_GAIN, abs=1e-6)


def test_a_failing_solver_falls_back_to_the_linear_fit(monkeypatch: pytest.MonkeyPatch):
    import scipy.optimize

    def fail(*args: object, **kwargs: object) -> None:
        raise ValueError("residuals are not finite")

    monkeypatch.setattr(scipy.optimize, "least_squares", fail)
    found = angles_from_rotation(five_point_rotation(seen(rotation_from_angles(0.3, 0.2, 0.1))))
    np.testing.assert_allclose(found, (0.3 * YAW_GAIN, 0.2, 0.1), atol=1e-6)


@pytest.mark.parametrize(
    ("landmarks", "words"),
    [
        (np.zeros((4, 2)), "five"),
        (np.full((5, 2), np.nan), "NaN"),
        (np.ones((5, 2)), "two pixels"),
        ([["a", "b"]] * 5, "numbers"),
    ],
)
def test_impossible_landmarks_are_refused(landmarks: np.ndarray, words: str, spec: GeneratorSpec):
    with pytest.raises(InputError, match=words):
        FivePointPose().estimate(landmarks, spec)


def test_the_estimator_keeps_its_contract(spec: GeneratorSpec):
    assert isinstance(FivePointPose(), PoseEstimator)
    pose = FivePointPose().estimate(seen(np.diag([1.0, -1.0, -1.0])), spec)
    assert pose.method == "five_point" and pose.rotation.shape == (3, 3)
    assert degrees_apart(pose.rotation, np.diag([1.0, -1.0, -1.0])) < 2


def test_the_front_is_the_labels_front():
    camera = camera_from_rotation(rotation_from_angles(0.0, 0.0), Orbit())
    torch.testing.assert_close(camera.label, Camera.orbit().label)


@given(yaws, pitches)
def test_the_camera_looks_at_the_pivot_from_the_orbit(yaw: float, pitch: float):
    orbit = Orbit(radius=2.7, pivot=(0.0, 0.01, 0.2))
    camera = camera_from_rotation(rotation_from_angles(yaw, pitch, 0.3), orbit)
    assert float(camera.position.norm()) == pytest.approx(2.7, abs=1e-4)
    np.testing.assert_allclose(camera.project(torch.tensor([orbit.pivot]))[0, 0], [0.5, 0.5], atol=1e-4)


def test_removing_roll_keeps_the_direction():
    upright = without_roll(rotation_from_angles(0.4, -0.2, 0.7))
    np.testing.assert_allclose(angles_from_rotation(upright), (0.4, -0.2, 0.0), atol=1e-9)
