from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toolkit.camera import Camera, as_camera, look_at, pinhole, rotation_distance
from toolkit.errors import InputError
from toolkit.rendering.rays import rays_through

yaws = st.floats(-math.pi + 1e-3, math.pi - 1e-3)
pitches = st.floats(-1.3, 1.3)
numbers = st.floats(-0.3, 0.3)


def random_camera(seed: int, count: int = 1) -> Camera:
    """Cameras with roll, off-centre principal point and skew, in float64."""
    source = torch.Generator().manual_seed(seed)
    rotation = torch.linalg.qr(torch.randn(count, 3, 3, dtype=torch.float64, generator=source)).Q
    rotation = rotation * torch.linalg.det(rotation)[:, None, None]
    cam2world = torch.eye(4, dtype=torch.float64).repeat(count, 1, 1)
    cam2world[:, :3, :3] = rotation
    cam2world[:, :3, 3] = torch.randn(count, 3, dtype=torch.float64, generator=source)
    return Camera.from_matrices(cam2world, torch.tensor([[2.0, 0.3, 0.45], [0.0, 3.0, 0.55], [0.0, 0.0, 1.0]]))


def test_the_front_camera_is_the_documented_one():
    front = Camera.orbit()
    expected = torch.tensor(
        [1.0, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 2.7, 0, 0, 0, 1, 4.2647, 0, 0.5, 0, 4.2647, 0.5, 0, 0, 1]
    )
    torch.testing.assert_close(front.label, expected[None], atol=1e-6, rtol=0)


def test_positive_yaw_moves_to_positive_x_and_positive_pitch_up():
    assert Camera.orbit(yaw=0.5).position[0, 0] > 1
    assert Camera.orbit(pitch=0.5).position[0, 1] > 1


@given(yaws, pitches)
def test_orbit_and_angles_round_trip(yaw: float, pitch: float):
    angles = Camera.orbit(yaw, pitch).angles()
    assert float(angles.yaw) == pytest.approx(yaw, abs=1e-3)
    assert float(angles.pitch) == pytest.approx(pitch, abs=1e-3)
    assert float(angles.roll) == pytest.approx(0, abs=1e-3)


@given(yaws, pitches, numbers, numbers, numbers)
def test_orbit_cameras_look_at_their_pivot(yaw: float, pitch: float, x: float, y: float, z: float):
    camera = Camera.orbit(yaw, pitch, pivot=(x, y, z))
    seen = camera.project(torch.tensor([[x, y, z]]))
    torch.testing.assert_close(seen, torch.full((1, 1, 2), 0.5), atol=1e-4, rtol=0)
    assert float(camera.position.norm()) == pytest.approx(2.7, abs=1e-4)
    torch.testing.assert_close(camera.checked().label, camera.label, atol=1e-5, rtol=0)


def test_orbit_takes_many_angles_and_reaches_the_poles():
    cameras = Camera.orbit(torch.linspace(-3, 3, 5), math.pi / 2)
    assert len(cameras) == 5
    assert torch.isfinite(cameras.label).all()
    cameras.checked()


@given(st.integers(0, 1000))
def test_mirroring_twice_gives_the_camera_back(seed: int):
    camera = random_camera(seed)
    torch.testing.assert_close(camera.mirror().mirror().label, camera.label)


@given(yaws, pitches, numbers, numbers, numbers)
def test_the_mirrored_camera_sees_the_mirrored_point_at_the_mirrored_pixel(
    yaw: float, pitch: float, x: float, y: float, z: float
):
    camera = Camera.orbit(yaw, pitch)
    seen = camera.project(torch.tensor([[x, y, z]]))
    mirrored = camera.mirror().project(torch.tensor([[-x, y, z]]))
    torch.testing.assert_close(mirrored[..., 0], 1 - seen[..., 0], atol=1e-4, rtol=0)
    torch.testing.assert_close(mirrored[..., 1], seen[..., 1], atol=1e-4, rtol=0)


@given(st.integers(0, 20))
def test_rays_through_any_places_meet_points_that_project_back_to_them(seed: int):
    camera = random_camera(seed, 3)
    places = torch.rand(3, 50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    rays = rays_through(camera, places)
    torch.testing.assert_close(rays.directions.norm(dim=2), torch.ones(3, 50, dtype=torch.float64))
    torch.testing.assert_close(camera.project(rays.origins + 1.7 * rays.directions), places)


@given(st.integers(0, 1000), st.integers(1, 9))
def test_rays_run_through_the_points_that_project_to_their_pixels(seed: int, resolution: int):
    camera = random_camera(seed, count=2)
    origins, directions = camera.rays(resolution)
    assert directions.shape == (2, resolution**2, 3)
    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(2, resolution**2, dtype=torch.float64))
    seen = camera.project(origins[:, None] + 1.7 * directions)
    centres = (torch.arange(resolution, dtype=torch.float64) + 0.5) / resolution
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    expected = torch.stack([x, y], -1).reshape(1, -1, 2).expand(2, -1, -1)
    torch.testing.assert_close(seen, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("wrap", [list, tuple, torch.tensor, lambda row: torch.tensor(row, dtype=torch.float64)])
def test_labels_are_read_from_many_forms(wrap):
    row = Camera.orbit(0.3, 0.1).label[0].tolist()
    assert Camera.from_label(wrap(row)).label.shape == (1, 25)
    torch.testing.assert_close(Camera.from_label(wrap(row)).label.float(), torch.tensor([row]))


def test_integer_labels_become_floating_point():
    assert Camera.from_label([0] * 25).label.is_floating_point()
    assert Camera.from_label(torch.zeros(2, 25, dtype=torch.int64)).label.is_floating_point()


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ([0.0] * 24, r"\[B, 25\]"),
        (torch.zeros(2, 16), r"\[2, 16\]"),
        (torch.zeros(1, 1, 25), r"\[1, 1, 25\]"),
        (["one"] * 25, "25 numbers"),
        ([[0.0] * 25, [0.0] * 24], "25 numbers"),
        ([math.nan] + [0.0] * 24, "NaN"),
        ([math.inf] + [0.0] * 24, "NaN or infinity"),
        (None, "25 numbers"),
    ],
)
def test_what_is_no_label_is_refused_in_a_sentence(label, message: str):
    with pytest.raises(InputError, match=message):
        Camera.from_label(label)


def test_slightly_skewed_rotations_are_straightened():
    camera = random_camera(3)
    label = camera.label.clone()
    label[:, 0] += 0.02
    checked = Camera(label).checked()
    product = checked.rotation.transpose(1, 2) @ checked.rotation
    torch.testing.assert_close(product[0], torch.eye(3, dtype=torch.float64), atol=1e-12, rtol=0)
    assert float(rotation_distance(checked, camera)) < 0.03
    torch.testing.assert_close(checked.position, camera.position)


@pytest.mark.parametrize(
    ("entry", "value"),
    [(0, 5.0), (15, 2.0), (12, 0.5), (16, -4.0), (20, 0.0), (24, 3.0)],
)
def test_impossible_cameras_are_refused_by_name(entry: int, value: float):
    label = Camera.orbit(0.2).label.clone()
    label[0, entry] = value
    with pytest.raises(InputError, match="photo 7"):
        Camera(label).checked("photo 7")


def test_reflections_are_refused():
    label = Camera.orbit(0.2).label.clone()
    label[0, [0, 4, 8]] *= -1
    with pytest.raises(InputError, match="rotation"):
        Camera(label).checked()


def test_moving_a_camera_leaves_the_callers_alone():
    camera = Camera.orbit(0.2)
    kept = camera.label.clone()
    moved = camera.shifted(torch.tensor([[1.0, 0, 0], [0, 2.0, 0]]))
    torch.testing.assert_close(moved.position - camera.position, torch.tensor([[1.0, 0, 0], [0, 2.0, 0]]))
    assert torch.equal(camera.label, kept)


def test_selecting_keeps_the_batch_dimension():
    cameras = Camera.orbit(torch.tensor([0.0, 0.1, 0.2]))
    assert torch.equal(cameras[-1].label, cameras.label[2:])
    assert torch.equal(cameras[0].label, cameras.label[:1])
    assert len(cameras[1:]) == 2
    with pytest.raises(IndexError):
        cameras[3]


def test_iterating_yields_every_camera_once():
    cameras = Camera.orbit(torch.tensor([0.0, 0.1, 0.2]))
    assert torch.equal(torch.cat([camera.label for camera in cameras]), cameras.label)


def test_one_camera_serves_a_batch_and_three_do_not_serve_two():
    assert len(Camera.orbit().expand(4)) == 4
    with pytest.raises(InputError, match="3 cameras"):
        Camera.orbit(torch.zeros(3)).expand(2)


def test_as_camera_takes_both_forms():
    camera = Camera.orbit(0.3)
    assert as_camera(camera) is camera
    assert torch.equal(as_camera(camera.label).label, camera.label)


@given(yaws, yaws)
def test_rotation_distance_between_level_cameras_is_their_difference_in_yaw(first: float, second: float):
    difference = abs(math.remainder(first - second, 2 * math.pi))
    measured = float(rotation_distance(Camera.orbit(first), Camera.orbit(second)))
    assert measured == pytest.approx(difference, abs=2e-3)


def test_small_rotation_distances_are_not_rounded_away():
    assert float(rotation_distance(Camera.orbit(0.3), Camera.orbit(0.3))) == pytest.approx(0, abs=1e-6)
    assert float(rotation_distance(Camera.orbit(0.3), Camera.orbit(0.3001))) == pytest.approx(1e-4, rel=0.05)


def test_look_at_and_pinhole_make_rotations_and_intrinsics():
    poses = look_at(torch.tensor([[0.0, 0.0, 2.0], [2.0, 0.0, 0.0]]), torch.zeros(3))
    Camera.from_matrices(poses, pinhole(3.0)).checked()
