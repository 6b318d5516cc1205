"""Camera conventions of the official scripts."""

from __future__ import annotations

import pytest
import torch
from official_cameras import (
    focal_of,
    frontal_sweep,
    head_turn,
    label_angles,
    look_at_sampler,
    sheared_grid,
)
from panohead_golden import load

from toolkit.camera import Camera, pinhole
from toolkit.rendering.rays import camera_rays, cube_limits


def test_look_at_sampler() -> None:
    golden = load("camera")
    h, v, radius = golden["lookat/h"], golden["lookat/v"], golden["lookat/radius"]
    assert golden.error("lookat/cam2world", look_at_sampler(h, v, golden["lookat/pivot"], radius)) < 1e-6
    assert golden.error("gaussian/cam2world", look_at_sampler(h, v, radius=radius)) < 1e-6


def test_focal_from_field_of_view() -> None:
    golden = load("camera")
    found = torch.stack([pinhole(focal_of(float(degrees))) for degrees in golden["fov/degrees"]])
    assert golden.error("fov/intrinsics", found) < 1e-6


def test_rays_with_skew_and_off_centre_principal_point() -> None:
    golden = load("camera")
    rays = camera_rays(golden["rays/c"], golden.config["ray_resolution"])
    assert golden.error("rays/origins", rays.origins) < 1e-6
    assert golden.error("rays/directions", rays.directions) < 1e-6
    start, end = cube_limits(rays, 1.1)
    assert golden.error("rays/box1.1_start", start) < 1e-4
    assert golden.error("rays/box1.1_end", end) < 1e-4


def test_mirrored_labels() -> None:
    golden = load("camera")
    assert golden.error("mirror/c_flipped", Camera(golden["mirror/c"]).mirror().label) == 0


def test_label_angles_over_the_full_circle() -> None:
    golden = load("camera")
    assert golden.error("angles/yaw_pitch_roll_deg", label_angles(Camera(golden["rays/c"]))) < 1e-4


def test_video_paths() -> None:
    golden = load("camera")
    frames = golden.config["frames"]
    assert golden.error("path/head360", head_turn(frames).cam2world) < 1e-6
    assert golden.error("path/frontal_sweep", frontal_sweep(frames).cam2world) < 1e-6


@pytest.mark.parametrize(("count", "side"), [(6, 1.0), (9, 1.3)])
def test_sheared_shape_grid(count: int, side: float) -> None:
    assert load("camera").error(f"grid/n{count}_len{side}", sheared_grid(count, side)) < 1e-6
