"""Every usual way in which a camera label goes wrong is told from its numbers and named."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.camera import Camera
from toolkit.camera_faults import camera_fault, camera_faults

Change = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
YAWS = [-2.6, -1.7, -0.9, -0.4, 0.3, 0.8, 1.5, 2.4, 3.1]
OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
Z_UP = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
"""From a world with y up to one with z up."""


def numbers(yaw: float, pitch: float = 0.15, radius: float = 2.7, focal: float = 4.2647) -> np.ndarray:
    return Camera.orbit(yaw, pitch, radius=radius, focal=focal).label[0].double().numpy()


def changed(change: Change, yaw: float, pitch: float = 0.15) -> list[float]:
    values = numbers(yaw, pitch)
    matrix, intrinsics = change(values[:16].reshape(4, 4), values[16:].reshape(3, 3))
    return [*matrix.ravel().tolist(), *intrinsics.ravel().tolist()]


def moved(factor: float) -> Change:
    scale = np.ones((4, 4))
    scale[:3, 3] = factor
    return lambda matrix, intrinsics: (matrix * scale, intrinsics)


def pixels(side: int) -> Change:
    return lambda matrix, intrinsics: (matrix, np.diag([side, side, 1]) @ intrinsics)


def signed(matrix: np.ndarray, intrinsics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return matrix, np.array([[2, 0, -1], [0, 2, -1], [0, 0, 1.0]]) @ intrinsics


QUARTER = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def rotation_transposed(matrix: np.ndarray, intrinsics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    other = matrix.copy()
    other[:3, :3] = matrix[:3, :3].T
    return other, intrinsics


def swapped(intrinsics: np.ndarray) -> np.ndarray:
    return np.array([[intrinsics[0, 2], 0, intrinsics[0, 0]], [0, intrinsics[1, 2], intrinsics[1, 1]], [0, 0, 1]])


MISTAKES: dict[str, tuple[Change, str]] = {
    "world to camera": (lambda m, k: (np.linalg.inv(m), k), "the inverse of cam2world"),
    "opengl": (lambda m, k: (m @ OPENGL, k), "OpenGL's (y up, z backwards)"),
    "opengl view": (lambda m, k: (OPENGL @ np.linalg.inv(m), k), "OpenGL view matrix"),
    "transposed": (lambda m, k: (m.T, k), "transposed"),
    "pixels 512": (pixels(512), "intrinsics are in pixels"),
    "pixels 224": (pixels(224), "intrinsics are in pixels"),
    "focal in pixels": (lambda m, k: (m, k + np.diag([1015.0, 1015.0, 0])), "focal length is in pixels"),
    "signed coordinates": (signed, "from -1 to 1"),
    "centimetres": (moved(100), "100 times smaller"),
    "millimetres": (moved(1000), "1000 times smaller"),
    "a hundredth": (moved(0.01), "100 times larger"),
    "scaled rotation": (lambda m, k: (m @ np.diag([1.5, 1.5, 1.5, 1]), k), "the rotation is scaled"),
    "left-handed": (lambda m, k: (m @ np.diag([-1.0, 1, 1, 1]), k), "left-handed"),
    "left-handed by y": (lambda m, k: (m @ np.diag([1.0, -1, 1, 1]), k), "left-handed"),
    "left-handed by z": (lambda m, k: (m @ np.diag([1.0, 1, -1, 1]), k), "left-handed"),
    "mirrored world": (lambda m, k: (np.diag([-1.0, 1, 1, 1]) @ m, k), "left-handed"),
    "rotation transposed": (rotation_transposed, "rotation is transposed"),
    "turned": (lambda m, k: (m @ QUARTER, k), "turned by a quarter"),
    "turned the other way": (lambda m, k: (m @ QUARTER.T, k), "turned by a quarter"),
    "intrinsics transposed": (lambda m, k: (m, k.T), "intrinsics are transposed"),
    "intrinsics in another order": (lambda m, k: (m, swapped(k)), "changed places"),
    "y down": (lambda m, k: (np.diag([1.0, -1, -1, 1]) @ m, k), "y axis points down"),
    "z up": (lambda m, k: (Z_UP @ m, k), "z axis points up"),
    "transposed world to camera": (lambda m, k: (np.linalg.inv(m).T, k), "transposed, and maps world to camera"),
    "millimetres and opengl": (lambda m, k: moved(1000)(m @ OPENGL, k), "OpenGL's (y up, z backwards)"),
    "millimetres and world to camera": (lambda m, k: (np.linalg.inv(moved(1000)(m, k)[0]), k), "1000 times smaller"),
    "opengl, z up and pixels": (lambda m, k: pixels(512)(Z_UP @ m @ OPENGL, k), "in pixels"),
    "twice as large": (moved(2.0), "2 times smaller"),
    "half as large": (moved(0.5), "2 times larger"),
    "width and height": (
        lambda m, k: (m, np.diag([9 / 16, 1, 1]) @ k + np.array([[0, 0, 7 / 32], [0] * 3, [0] * 3])),
        "not square",
    ),
    "width and height of a portrait": (lambda m, k: (m, k + np.diag([0, 4.2647 / 3, 0])), "not square"),
    "field of view in degrees": (lambda m, k: (m, k + np.diag([9.1, 9.1, 0])), "field of view in degrees"),
    "field of view in radians": (lambda m, k: (m, k - np.diag([4.03, 4.03, 0])), "field of view in radians"),
    "millimetres of film": (lambda m, k: (m, k + np.diag([45.7, 45.7, 0])), "millimetres"),
    "negative focal length": (
        lambda m, k: (m, np.diag([-1.0, -1, 1]) @ k + np.array([[0, 0, 1.0], [0, 0, 1], [0] * 3])),
        "negative",
    ),
    "negative vertical focal length": (lambda m, k: (m, k - np.diag([0, 2 * 4.2647, 0])), "negative"),
    "centre in pixels": (lambda m, k: (m, k + np.array([[0, 0, 255.5], [0, 0, 255.5], [0] * 3])), "principal point is"),
    "no last row": (lambda m, k: (m * np.array([[1.0], [1], [1], [0]]), k), "last row of the matrix was left out"),
    "y and z in each other's place": (lambda m, k: (m[[0, 2, 1, 3]], k), "y and z axes have changed places"),
    "pixels and world to camera": (lambda m, k: pixels(256)(np.linalg.inv(m), k), "in pixels"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_mistake_of_a_data_set_is_named(mistake: str) -> None:
    change, words = MISTAKES[mistake]
    labels = [changed(change, yaw, pitch) for yaw in YAWS for pitch in (-0.3, 0.2)]
    faults = camera_faults(labels)
    assert len(faults) >= 0.6 * len(labels), "a wrong convention is seen in most labels"
    named = sum(words in fault for fault in faults.values())
    assert named == len(faults), faults


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (numbers(0.4, radius=10.0), "it stands 10 units from the head"),
        (numbers(0.4, focal=1015.0), "focal length is 1015"),
        (numbers(0.4, radius=0.2), "inside the head"),
        (numbers(0.4, focal=18.837), "would fill"),
        (changed(lambda m, k: (m @ np.diag([-1.0, 1, -1, 1]), k), 0.4), "looks away"),
        (numbers(0.4, focal=8.5), "would fill"),
        (numbers(0.4) + np.eye(25)[17], "not square"),
        (np.concatenate([np.eye(4).ravel(), numbers(0.4)[16:]]), "inside the head"),
        (numbers(0.4) * np.array([1] * 16 + [0] * 9), "not a pinhole camera's"),
        (numbers(0.4) + np.eye(25)[7] * 1.5, "outside the picture"),
        (np.full(25, np.inf), "not 25 finite numbers"),
        (numbers(0.4)[:24], "not 25 finite numbers"),
        (np.full(25, np.nan), "not 25 finite numbers"),
        (np.zeros(25), "last row"),
    ],
)
def test_single_impossible_cameras_are_described(label: np.ndarray, words: str) -> None:
    assert words in str(camera_fault(list(label)))


@given(
    st.floats(-math.pi, math.pi), st.floats(-1.2, 1.2), st.floats(1.6, 3.5), st.floats(-0.15, 0.15),
    st.floats(1.1, 1.9),
)  # fmt: skip
def test_no_camera_of_a_head_is_blamed(yaw: float, pitch: float, radius: float, pivot: float, size: float) -> None:
    camera = Camera.orbit(yaw, pitch, radius=radius, pivot=(0.0, pivot, 0.1), focal=size * radius)
    assert camera_fault(camera.label[0].tolist()) is None


def test_the_cameras_of_cars_and_of_the_eg3d_pivot_are_no_fault() -> None:
    assert camera_fault(list(numbers(0.4, radius=1.3, focal=1.025))) is None
    assert camera_fault(Camera.orbit(1.2, pivot=(0, 0, 0.2)).label[0].tolist()) is None


def test_the_work_is_bounded_whatever_the_numbers() -> None:
    draws = np.random.default_rng(0).normal(size=(2000, 25))
    started = time.process_time()
    assert len(camera_faults(draws.tolist())) == 2000
    assert time.process_time() - started < 10  # 1 s; every cause for every label would take minutes


def test_labels_that_are_right_stay_unblamed_beside_wrong_ones() -> None:
    labels = [list(numbers(0.5)), changed(MISTAKES["pixels 512"][0], 0.2), list(numbers(-0.5))]
    assert list(camera_faults(labels)) == [1]


@pytest.mark.parametrize("huge", [1e308, -1e308, 1e200, 1e-320])
def test_numbers_of_any_size_are_described_without_a_warning(huge: float) -> None:
    for place in (0, 3, 7, 10, 16, 18):
        label = list(numbers(0.4))
        label[place] = huge
        assert abs(huge) < 1 or camera_fault(label)
    assert camera_fault([huge] * 25)
