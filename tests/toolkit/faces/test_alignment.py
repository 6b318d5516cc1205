from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import InputError
from toolkit.faces.alignment import align, arcface_crop, arcface_matrix, eg3d_crop, expected_landmarks, similarity
from toolkit.faces.detection import Face
from toolkit.faces.pose import angles_from_rotation, camera_from_rotation, five_point_rotation, rotation_from_angles
from toolkit.faces.template import ARCFACE_TEMPLATE, STANDARD_FACE
from toolkit.faces.warp import inverse, transform, warp
from toolkit.interfaces import GeneratorSpec

MakeSpec = Callable[..., GeneratorSpec]

DATA = Path(__file__).parents[2] / "data" / "faces"


def test_identity_crops_match_the_golden_matrices():
    golden = np.load(DATA / "face_alignment.npz", allow_pickle=False)
    for landmarks, matrix in zip(golden["landmarks"], golden["matrix"], strict=True):
        np.testing.assert_allclose(arcface_matrix(landmarks), matrix, atol=1e-4)


@given(st.floats(0.1, 10), st.floats(-3.1, 3.1), st.floats(-500, 500), st.floats(-500, 500))
def test_a_known_similarity_is_found(scale: float, angle: float, right: float, down: float):
    a, b = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[a, -b, right], [b, a, down]])
    found = similarity(ARCFACE_TEMPLATE, transform(matrix, ARCFACE_TEMPLATE))
    np.testing.assert_allclose(found, matrix, atol=1e-6 * max(1, scale) * 100)
    there_and_back = transform(inverse(matrix), transform(matrix, ARCFACE_TEMPLATE))
    np.testing.assert_allclose(there_and_back, ARCFACE_TEMPLATE, atol=1e-6)


def test_similarities_need_points():
    with pytest.raises(InputError, match="one place"):
        similarity(np.ones((5, 2)), ARCFACE_TEMPLATE)
    with pytest.raises(InputError, match="equal sets"):
        similarity(ARCFACE_TEMPLATE[:3], ARCFACE_TEMPLATE)


def blobs(shape: tuple[int, int], points: np.ndarray, sigma: float = 2.0) -> np.ndarray:
    """Bright dots at (x, y) pixel places."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    light = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for px, py in points)
    return np.repeat((light * 200).round().clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def centre(image: np.ndarray) -> np.ndarray:
    light = image[..., 0].astype(float)
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    return np.array([(light * x).sum(), (light * y).sum()]) / light.sum()


@pytest.mark.parametrize("scale", [0.2, 0.45, 1.0, 2.3])
def test_a_warped_dot_lands_where_the_matrix_says(scale: float):
    place, angle = np.array([331.0, 377.0]), 0.4
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([linear, np.array([30.3, 33.7]) - linear @ place])
    crop = warp(blobs((760, 700), place[None], sigma=3.0 / min(scale, 1)), matrix, 64)
    np.testing.assert_allclose(centre(crop), [30.3, 33.7], atol=0.12)


def test_shrinking_warps_do_not_alias():
    board = np.indices((256, 256)).sum(axis=0) % 2 * 255
    matrix = np.array([[0.25, 0.0, 0.1], [0.0, 0.25, 0.3]])
    crop = warp(np.repeat(board.astype(np.uint8)[..., None], 3, axis=2), matrix, 48)
    assert np.abs(crop.astype(int) - 127).max() < 12


def test_enlarging_keeps_a_constant_and_reflects_outside():
    grey = np.full((20, 30, 3), 90, np.uint8)
    crop = warp(grey, np.array([[3.0, 0.0, 100.0], [0.0, 3.0, -50.0]]), 128)
    assert (crop == 90).all()


def test_align_undoes_a_known_similarity(spec: GeneratorSpec):
    rotation = rotation_from_angles(0.3, 0.1)
    expected = expected_landmarks(spec, camera_from_rotation(rotation, spec.orbit), spec.image_size)
    known = np.array([[1.5, -0.6, 60.0], [0.6, 1.5, 20.0]])
    landmarks = transform(known, expected)
    photo = blobs((400, 400), landmarks)
    aligned = align(photo, landmarks, rotation_from_angles(0.3, 0.1, 0.38), spec)
    np.testing.assert_allclose(aligned.matrix, inverse(known), atol=1e-3)
    assert np.abs(aligned.image.astype(int) - blobs((128, 128), expected, 2.0 / 1.616)).max() < 30
    np.testing.assert_allclose([float(x) for x in aligned.camera.angles()], (0.3, 0.1, 0.0), atol=2e-3)


def test_a_generator_with_its_own_face_points_gets_them(spec: GeneratorSpec):
    points = tuple(tuple(row) for row in (0.2 * STANDARD_FACE).tolist())
    own = replace(spec, face_points=points)
    front = rotation_from_angles(0.0, 0.0)
    image, landmarks = np.zeros((64, 64, 3), np.uint8), STANDARD_FACE[:, :2] * [20, -20] + 32
    crop = align(image, landmarks, front, own)
    seen = transform(crop.matrix, landmarks)
    assert np.abs(seen - expected_landmarks(own, crop.camera, 128)).max() < 3
    assert crop.photo_side != pytest.approx(align(image, landmarks, front, spec).photo_side, rel=0.05)


def test_the_crop_knows_how_much_lies_outside(spec: GeneratorSpec, astronaut: np.ndarray, astronaut_face: Face):
    rotation = five_point_rotation(astronaut_face.landmarks)
    assert align(astronaut, astronaut_face.landmarks, rotation, spec).padding == 0
    cut = np.ascontiguousarray(astronaut[60:])
    aligned = align(cut, astronaut_face.landmarks - [0, 60], rotation, spec)
    assert 0.1 < aligned.padding < 0.4
    assert aligned.outside[0].all() and not aligned.outside[-1].any()


def test_the_astronauts_crops_are_the_known_squares(astronaut: np.ndarray, astronaut_face: Face, make_spec: MakeSpec):
    rotation = five_point_rotation(astronaut_face.landmarks)
    middle = np.array([255.5, 255.5])
    big = make_spec(512)
    for crop, side, place in (("generator", 170, (226, 97)), ("eg3d", 154, (225, 116))):
        aligned = align(astronaut, astronaut_face.landmarks, rotation, big, crop=crop)
        assert aligned.photo_side == pytest.approx(side, rel=0.06)
        np.testing.assert_allclose(transform(inverse(aligned.matrix), middle), place, atol=8)
    yaw, pitch, roll = np.degrees(angles_from_rotation(rotation))
    assert abs(yaw) < 5 and 5 < pitch < 25 and 0 < roll < 7


def test_the_eg3d_crop_is_the_rule(spec: GeneratorSpec):
    landmarks = STANDARD_FACE[:, :2] * [60, -60] + [300, 200]
    matrix = eg3d_crop(landmarks, 140)
    np.testing.assert_allclose(matrix[:, :2], np.eye(2), atol=1e-6)
    np.testing.assert_allclose(transform(matrix, np.array([300.0, 200.0])), [69.5, 69.5])


def test_identity_crops_are_black_outside(astronaut: np.ndarray, astronaut_face: Face):
    crop = arcface_crop(astronaut, astronaut_face.landmarks)
    assert crop.shape == (112, 112, 3) and crop.min(axis=(1, 2)).max() > 0
    cut = arcface_crop(np.ascontiguousarray(astronaut[95:]), astronaut_face.landmarks - [0, 95])
    assert (cut[0] == 0).all() and np.abs(cut[-1].astype(int) - crop[-1]).mean() < 3


def test_identity_crops_can_be_sampled_as_the_published_metrics_do():
    landmarks = ARCFACE_TEMPLATE * 2 + [3, 5]
    ramp = np.repeat(np.tile(np.arange(256, dtype=np.uint8), (256, 1))[..., None], 3, axis=2)
    crop = arcface_crop(ramp, landmarks, antialias=False)
    np.testing.assert_allclose(crop[50, :, 0], np.arange(112) * 2 + 3, atol=1)


def test_unknown_crops_and_mirrored_points_are_refused(spec: GeneratorSpec, astronaut: np.ndarray):
    front = rotation_from_angles(0.0, 0.0)
    landmarks = STANDARD_FACE[:, :2] * [60, -60] + [300, 200]
    with pytest.raises(InputError, match="crop must be"):
        align(astronaut, landmarks, front, spec, crop="square")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="uint8"):
        align(astronaut[..., 0], landmarks, front, spec)
