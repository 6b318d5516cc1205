"""A rig of made cameras round a made face."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from toolkit.camera import Camera, look_at
from toolkit.errors import InputError
from toolkit.faces.rig import (
    disagreement,
    face_in_rig,
    projected,
    rig_similarity,
    rig_view,
    triangulated,
    turned,
)
from toolkit.faces.similarity import Similarity, fitted
from toolkit.faces.template import PANOHEAD_SCALE, PANOHEAD_SHIFT, STANDARD_FACE
from toolkit.interfaces import Orbit
from toolkit.interfaces.dataset import Pinhole

SPEC: Any = SimpleNamespace(name="any", face_points=(), orbit=Orbit(), image_size=64)
YAWS = (-0.6, -0.2, 0.1, 0.5, 2.5)


def turn(seed: int) -> np.ndarray:
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


RIG = Similarity(0.07, turn(3), np.array([4.0, -1.0, 2.0]))
"""From the generator's world to the rig's."""


def pinhole(yaw: float, distance: float = 2.2, aside: float = 0.1) -> Pinhole:
    """A camera of the rig: at a distance of its own, not quite looking at the head's centre, rolled."""
    position = distance * torch.tensor([[math.sin(yaw), 0.1, math.cos(yaw)]], dtype=torch.float64)
    pose = look_at(position, torch.tensor([aside, -aside, 0.0], dtype=torch.float64))[0].numpy()
    roll = np.array([[math.cos(0.2), -math.sin(0.2), 0], [math.sin(0.2), math.cos(0.2), 0], [0, 0, 1]])
    world = np.eye(4)
    world[:3, :3] = RIG.rotation @ pose[:3, :3] @ roll
    world[:3, 3] = RIG.points(pose[None, :3, 3])[0]
    intrinsics = ((700.0, 0.0, 200.0), (0.0, 700.0, 150.0), (0.0, 0.0, 1.0))
    return Pinhole(intrinsics, tuple(map(tuple, world.tolist())))


FACE = PANOHEAD_SCALE * STANDARD_FACE + PANOHEAD_SHIFT
FACES = [(pinhole(yaw), projected(pinhole(yaw), RIG.points(FACE))) for yaw in YAWS[:4]]
WORLD = fitted(RIG.points(FACE), FACE)


def test_points_are_triangulated_where_they_are() -> None:
    found = triangulated([camera for camera, _ in FACES], [seen[2] for _, seen in FACES])
    np.testing.assert_allclose(found, RIG.points(FACE)[2], atol=1e-9)


def test_a_fitted_similarity_is_the_one_that_moved_the_points() -> None:
    np.testing.assert_allclose(WORLD.points(RIG.points(FACE)), FACE, atol=1e-12)
    assert WORLD.scale == pytest.approx(1 / RIG.scale)
    mirrored = fitted(FACE * [-1, 1, 1], FACE)
    assert np.linalg.det(mirrored.rotation) == pytest.approx(1)


def test_one_wrong_face_of_several_is_left_aside() -> None:
    wrong = [*FACES, (pinhole(0.3), FACES[2][1] + 60)]
    face = face_in_rig(wrong)
    np.testing.assert_allclose(rig_similarity(face, SPEC).points(RIG.points(FACE)), FACE, atol=1e-9)
    assert [disagreement(face, each) > 0.3 for each in wrong] == [False] * 4 + [True]


@pytest.mark.parametrize("yaw", YAWS)
def test_every_view_sees_the_head_where_its_new_camera_says(yaw: float) -> None:
    view = rig_view(pinhole(yaw), WORLD, SPEC.orbit, 64)
    assert isinstance(view.camera, Camera)
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (6, 3))
    crop = view.camera.project(torch.from_numpy(points).float())[0].double().numpy() * 64 - 0.5
    back = np.column_stack([crop, np.ones(6)]) @ view.homography.T
    np.testing.assert_allclose(back[:, :2] / back[:, 2:], projected(pinhole(yaw), RIG.points(points)), atol=2e-2)
    # upright, at the usual size, at its true distance
    top, bottom = view.camera.project(torch.tensor([[0, 0.1, 0], [0, -0.1, 0]]))[0]
    assert float(top[0]) == pytest.approx(float(bottom[0]), abs=1e-4)
    assert float(bottom[1] - top[1]) == pytest.approx(0.2 * 4.2647 / 2.7, rel=0.02)
    assert float(view.camera.position.norm()) == pytest.approx(2.2 * math.sqrt(1.01), rel=1e-4)
    assert math.degrees(abs(float(view.camera.angles().yaw) - yaw)) < 0.1


def test_pixels_follow_the_homography() -> None:
    """A picture whose colours are its coordinates shows, in the crop, where each pixel came from."""
    y, x = np.mgrid[:300, :400].astype(np.float32)
    view = rig_view(pinhole(0.1, aside=0.02), WORLD, SPEC.orbit, 64)
    where = np.stack([turned(x / 400, view.homography, 64), turned(y / 300, view.homography, 64)], axis=-1)
    grid = np.stack([*np.mgrid[:64, :64][::-1], np.ones((64, 64))], axis=-1) @ view.homography.T
    truth = grid[..., :2] / grid[..., 2:]
    inside = ((truth > 8) & (truth < np.array([391, 291]))).all(-1)
    assert inside.mean() > 0.5
    np.testing.assert_allclose((where * [400, 300])[inside], truth[inside], atol=0.6)


def test_too_few_faces_and_cameras_of_other_pictures_are_refused() -> None:
    with pytest.raises(InputError, match="only 1 of its pictures show a face"):
        face_in_rig(FACES[:1])
    with pytest.raises(InputError, match="do not agree"):
        face_in_rig([(camera, seen) for (camera, _), (_, seen) in zip(FACES, FACES[1:] + FACES[:1], strict=True)])
    with pytest.raises(InputError, match="looks away"):
        turned_round = np.asarray(pinhole(0.0).cam2world) * [-1, 1, -1, 1]
        backwards = Pinhole(pinhole(0.0).intrinsics, tuple(map(tuple, turned_round.tolist())))
        rig_view(backwards, WORLD, SPEC.orbit, 64)
