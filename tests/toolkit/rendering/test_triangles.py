"""A mesh looks like what it is: sizes, distances and colours that geometry gives by itself."""

from __future__ import annotations

import numpy as np
import torch

from toolkit.camera import Camera
from toolkit.rendering.triangles import ColouredTriangles, TriangleScene

GREY = (0.2, 0.2, 0.2)


def square(z: float, colours: list[list[float]], half: float = 0.5) -> ColouredTriangles:
    corners = [[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]]
    faces = [[0, 1, 2], [0, 2, 3]]
    return ColouredTriangles(np.array(corners, np.float32), np.array(faces, np.int32), np.array(colours, np.float32))


def test_a_square_has_the_size_and_the_distance_that_its_camera_sees() -> None:
    camera = Camera.orbit(0.0)
    seen = TriangleScene(square(0.1, [[1, 0, 0]] * 4, half=0.1)).render(camera, 33, GREY)
    expected = float(camera.position.norm()) - 0.1
    assert abs(float(seen.depth[0, 0, 16, 16]) - expected) < 1e-4
    side = float(camera.intrinsics[0, 0, 0]) * 0.2 / expected * 33  # of its picture, in pixels
    assert abs(float(seen.mask.sum().sqrt()) - side) < 1 / 3  # three rays per side of a pixel
    torch.testing.assert_close(seen.image[0, :, 16, 16], torch.tensor([1.0, -1.0, -1.0]))
    torch.testing.assert_close(seen.image[0, :, 0, 0], torch.tensor(GREY))
    assert seen.depth[0, 0, 0, 0] == 0 == seen.mask[0, 0, 0, 0]


def test_depth_is_measured_along_each_ray() -> None:
    camera = Camera.orbit(0.0)
    seen = TriangleScene(square(0.0, [[0, 0, 0]] * 4, half=5.0)).render(camera, 16, GREY)
    directions = camera.rays(16)[1].reshape(16, 16, 3)
    torch.testing.assert_close(seen.depth[0, 0], float(camera.position.norm()) / -directions[..., 2])


def test_colours_run_between_corners_left_to_right_as_the_camera_sees_them() -> None:
    dark_to_red = [[0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0, 0]]
    mesh = square(0.0, dark_to_red, half=0.2)
    front = TriangleScene(mesh).render(Camera.orbit(0.0), 32, GREY)
    row = front.image[0, 0, 16][front.mask[0, 0, 16] == 1]
    assert (row.diff() > 0).all() and row[0] < -0.8 and row[-1] > 0.8
    back = TriangleScene(mesh).render(Camera.orbit(float(np.pi)), 32, GREY)
    torch.testing.assert_close(back.image.flip(-1), front.image, atol=2e-3, rtol=0)


def test_what_lies_in_front_hides_what_lies_behind() -> None:
    red, blue = square(0.2, [[1, 0, 0]] * 4, half=0.1), square(-0.2, [[0, 0, 1]] * 4, half=0.1)
    both = ColouredTriangles(
        np.concatenate([red.vertices, blue.vertices]),
        np.concatenate([red.faces, blue.faces + 4]),
        np.concatenate([red.colours, blue.colours]),
    )
    scene = TriangleScene(both)
    assert scene.render(Camera.orbit(0.0), 9, GREY).image[0, 0, 4, 4] == 1
    assert scene.render(Camera.orbit(float(np.pi)), 9, GREY).image[0, 2, 4, 4] == 1
