"""Views that several files show are rendered once, and look as if each file had rendered its own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from toolkit.camera import Camera
from toolkit.export.gallery import Gallery
from toolkit.export.mesh import painting_cameras
from toolkit.export.products import Products, write_products
from toolkit.export.sheets import sheet_cameras
from toolkit.export.turntable import viewer_cameras
from toolkit.inversion import Inversion
from toolkit.rendering.pixels import to_pixels
from toolkit.rendering.views import around, render_views
from toolkit.testing.spherical import SphericalGenerator


@pytest.fixture
def rendered(spherical: SphericalGenerator, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many views each call of the generator's `render` has shown."""
    counts: list[int] = []
    real = SphericalGenerator.render

    def counted(self: Any, planes: Any, ws: Any, camera: Camera, *rest: Any, **options: Any) -> Any:
        counts.append(len(camera))
        return real(self, planes, ws, camera, *rest, **options)

    monkeypatch.setattr(SphericalGenerator, "render", counted)
    return counts


def test_what_is_expected_twice_is_rendered_once(
    inversion: Inversion, spherical: SphericalGenerator, rendered: list[int]
) -> None:
    gallery = Gallery.of(inversion, spherical, resolution=8)
    first, second = (around(spherical.spec, torch.arange(count) * (2 * math.pi / count)) for count in (4, 8))
    gallery.expect(first)
    gallery.expect(second)
    told: list[tuple[int, int]] = []
    frames = [*gallery.frames(first), *gallery.frames(second, lambda *done: told.append(done))]
    assert sum(rendered) == 8
    assert told[0] == (4, 8) and told[-1] == (8, 8)
    for cameras, shown in ((first, frames[:4]), (second, frames[4:])):
        alone = render_views(spherical, inversion.planes, inversion.ws, cameras, resolution=8)
        assert np.abs(np.stack(shown).astype(int) - to_pixels(alone.image)).max() <= 1


def test_what_nobody_else_expects_is_not_kept(
    inversion: Inversion, spherical: SphericalGenerator, rendered: list[int]
) -> None:
    gallery = Gallery.of(inversion, spherical, resolution=8)
    cameras = around(spherical.spec, torch.zeros(1))
    gallery.expect(cameras)
    assert np.array_equal(next(gallery.frames(cameras)), next(gallery.frames(cameras)))
    assert sum(rendered) == 2


def test_the_viewer_shows_the_views_that_paint_the_mesh(spherical: SphericalGenerator, inversion: Inversion) -> None:
    spec = spherical.spec
    ring, painting, sheet = (
        {tuple(row) for row in (cameras.label * 1e4).round().long().tolist()}
        for cameras in (viewer_cameras(spec), painting_cameras(spec), sheet_cameras(inversion, spec))
    )
    assert len(painting - ring) == 1  # from above
    assert len(ring & sheet) >= 4


def test_the_files_of_a_head_share_their_views(
    tmp_path: Path, inversion: Inversion, spherical: SphericalGenerator, rendered: list[int]
) -> None:
    write_products(tmp_path, inversion, spherical, None, Products(video=False), note=lambda text: None)
    own = len(sheet_cameras(inversion, spherical.spec)) + len(painting_cameras(spherical.spec)) + 108
    assert (tmp_path / "mesh.glb").is_file()
    assert sum(rendered) <= own - 18 - 4
