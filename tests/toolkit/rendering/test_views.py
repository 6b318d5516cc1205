from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit.inversion import Inversion
from toolkit.rendering.pixels import GENERATED_BY, to_pixels, write_png
from toolkit.rendering.views import around, iterate_views, render_views
from toolkit.testing.spherical import SphericalGenerator

CODE = torch.zeros(1, 1)


def test_batches_do_not_change_views(inversion: Inversion, spherical: SphericalGenerator) -> None:
    cameras = around(spherical.spec, torch.linspace(0, 5, 5))
    together = render_views(spherical, inversion.planes, inversion.ws, cameras, batch=5, resolution=8)
    apart = render_views(spherical, inversion.planes, inversion.ws, cameras, batch=2, resolution=8)
    assert together.image.shape == (5, 3, 48, 48)
    for first, second in zip(together, apart, strict=True):
        torch.testing.assert_close(first, second, atol=1e-5, rtol=0)


def test_views_are_made_as_they_are_asked_for(painted_ball: Any) -> None:
    cameras = around(painted_ball.spec, torch.zeros(1000))
    first = next(iterate_views(painted_ball, CODE, CODE[None], cameras, batch=2, resolution=4))
    assert first.image.shape == (2, 3, 4, 4)


def test_threads_do_not_change_views(painted_ball: Any) -> None:
    cameras = around(painted_ball.spec, torch.linspace(0, 5, 7))
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            results.append(render_views(painted_ball, CODE, CODE[None], cameras, resolution=8))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for first, second in zip(*results, strict=True):
        assert torch.equal(first, second)


def test_a_failing_view_ends_all_of_them(painted_ball: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(type(painted_ball), "render", fail)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    with pytest.raises(RuntimeError, match="no memory"):
        render_views(painted_ball, CODE, CODE[None], around(painted_ball.spec, torch.zeros(9)))


@pytest.mark.parametrize(("batch", "resolution"), [(0, 8), (4, 0), (-1, None)])
def test_impossible_sizes_are_refused(painted_ball: Any, batch: int, resolution: int | None) -> None:
    with pytest.raises(InputError, match="at least 1"):
        render_views(painted_ball, CODE, CODE[None], Camera.orbit(), batch=batch, resolution=resolution)


def test_several_heads_or_no_camera_are_refused(painted_ball: Any) -> None:
    with pytest.raises(InputError, match="one head at a time, got 2"):
        render_views(painted_ball, torch.zeros(2, 1), torch.zeros(2, 1, 1), Camera.orbit())
    with pytest.raises(InputError, match="no camera"):
        render_views(painted_ball, CODE, CODE[None], Camera.orbit()[:0])


def test_positive_yaw_shows_the_side_towards_plus_x(painted_ball: Any) -> None:
    seen = render_views(painted_ball, CODE, CODE[None], around(painted_ball.spec, torch.tensor([0.0, math.pi / 2])))
    centre = seen.image[:, :, 48, 48]
    assert centre[0, 2] > 0.6 and abs(centre[0, 0]) < 0.1
    assert centre[1, 0] > 0.6 and abs(centre[1, 2]) < 0.1


def test_around_follows_the_generators_own_orbit(painted_ball: Any) -> None:
    orbit = replace(painted_ball.spec.orbit, radius=4.0, pivot=(0.0, 0.1, 0.0), focal=3.0, pitch=0.2)
    camera = around(replace(painted_ball.spec, orbit=orbit), torch.zeros(1))
    assert camera.position.norm() == pytest.approx(4.0)
    assert camera.intrinsics[0, 0, 0] == pytest.approx(3.0)
    assert camera.position[0, 1] == pytest.approx(4.0 * math.sin(0.2), abs=1e-5)
    assert around(painted_ball.spec, torch.zeros(1), 0.5).angles().pitch == pytest.approx(0.5, abs=1e-5)


def test_pixels_are_rounded_and_clipped() -> None:
    image = torch.tensor([-2.0, -1.0, 0.0, 1.0, 3.0]).reshape(1, 1, 1, 5).expand(1, 3, 1, 5)
    assert to_pixels(image)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_pictures_say_that_they_are_generated(tmp_path: Any) -> None:
    path = write_png(tmp_path / "a.png", np.zeros((4, 5, 3), np.uint8), "method x")
    with Image.open(path) as picture:
        assert picture.size == (5, 4)
        assert picture.info["Comment"] == f"{GENERATED_BY}: method x"
