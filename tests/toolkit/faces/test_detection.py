from __future__ import annotations

import numpy as np
import pytest

from toolkit.errors import InputError
from toolkit.faces.detection import Face, choose_face, detect_faces, looks_like_a_face


def test_the_astronaut_has_one_face_in_its_place(astronaut: np.ndarray):
    faces = detect_faces(astronaut)
    assert len(faces) == 1
    face = faces[0]
    assert face.probability > 0.99 and face.landmarks.dtype == float
    expected = [[205, 101], [247, 104], [225, 128], [202, 140], [245, 142]]
    assert np.abs(face.landmarks - expected).max() < 6


@pytest.mark.parametrize(("width", "height"), [(150, 150), (2400, 2400)])
def test_small_and_huge_photos_give_the_same_face(astronaut: np.ndarray, width: int, height: int, astronaut_face: Face):
    from toolkit.faces.images import resize

    scaled = choose_face(detect_faces(resize(astronaut, width, height))).landmarks * (512 / width)
    assert np.abs(scaled - astronaut_face.landmarks).max() < 8


def test_two_faces_come_largest_first(astronaut: np.ndarray):
    from toolkit.faces.images import resize

    small = np.full_like(astronaut, 128)
    small[:300, :300] = resize(astronaut, 300, 300)
    faces = detect_faces(np.concatenate([small, astronaut], axis=1))
    assert len(faces) == 2 and faces[0].area > faces[1].area
    assert faces[0].landmarks[:, 0].min() > 512
    assert choose_face(faces) is faces[0] and choose_face(faces, 1) is faces[1]


@pytest.mark.parametrize("shape", [(64, 64, 3), (5, 5, 3), (1, 900, 3), (200, 300, 3)])
def test_nothing_is_found_where_nothing_is(shape: tuple[int, int, int]):
    assert detect_faces(np.random.default_rng(0).integers(0, 256, shape, np.uint8)) == []


def test_choosing_fails_with_the_way_out(astronaut_face: Face):
    with pytest.raises(InputError, match=r"--camera.*--landmarks"):
        choose_face([])
    with pytest.raises(InputError, match="face 3"):
        choose_face([astronaut_face], 3)
    with pytest.raises(InputError, match="face -1"):
        choose_face([astronaut_face], -1)


def test_upside_down_landmarks_are_no_face(astronaut_face: Face):
    points = astronaut_face.landmarks
    assert looks_like_a_face(points)
    assert not looks_like_a_face(points * [1, -1])
    assert not looks_like_a_face(np.zeros((5, 2)))
