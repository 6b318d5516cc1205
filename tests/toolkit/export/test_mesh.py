from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh

from toolkit.errors import InputError
from toolkit.export.glb import write_glb
from toolkit.export.mesh import Mesh, extract_mesh, inversion_mesh
from toolkit.export.refinement import Lattice, NearLevel, sample_near_level
from toolkit.export.surface import _triangulate, density_of, extract_surface, visible_lattice
from toolkit.export.triangles import enclosed_volume, vertex_normals
from toolkit.inversion import Inversion
from toolkit.testing.spherical import SphericalGenerator

CODE = torch.zeros(1, 1)
COLOUR_REACH = 0.35


def ball_mesh(painted_ball: Any, **options: Any) -> Mesh:
    return extract_mesh(painted_ball, CODE, CODE[None], **options)


def test_the_surface_lies_on_the_level_and_faces_outward(painted_ball: Any) -> None:
    surface = extract_surface(painted_ball, CODE, 64)
    ball = np.linalg.norm(surface.vertices, axis=1) - 0.25
    nose = np.linalg.norm(surface.vertices - [0, 0, 0.25], axis=1) - 0.06
    assert np.abs(np.minimum(ball, nose)).max() < 0.004
    assert enclosed_volume(surface) == pytest.approx(4 / 3 * math.pi * 0.25**3, rel=0.02)
    away_from_nose = (np.abs(ball) < 1e-3) & (nose > 0.05)
    radial = surface.vertices[away_from_nose] / 0.25
    assert (vertex_normals(surface)[away_from_nose] * radial).sum(1).min() > 0.99


def test_floaters_are_dropped(painted_ball: Any) -> None:
    surface = extract_surface(painted_ball, CODE, 64)
    assert np.linalg.norm(surface.vertices, axis=1).max() < 0.32


def around(near: NearLevel, lattice: Lattice, level: float) -> np.ndarray:
    """Values at all corners of a lattice; where there is none, one below the level."""
    values = np.full(np.asarray(lattice.cells) + 1, level - 1, dtype=np.float32)
    values[tuple(slice(start, start + size) for start, size in zip(near.first, near.values.shape, strict=True))] = (
        near.values
    )
    return values


@pytest.mark.parametrize(("step", "share"), [(2, 0.3), (4, 0.2), (8, 0.4)])
def test_coarse_passes_first_give_the_same_surface_for_fewer_queries(
    painted_ball: Any, step: int, share: float
) -> None:
    level = painted_ball.spec.surface_level
    lattice = visible_lattice(painted_ball.spec, 128, step)
    dense = sample_near_level(density_of(painted_ball, CODE), lattice, level, 1).values
    queried_densely, painted_ball.points_queried = painted_ball.points_queried, 0
    quick = around(sample_near_level(density_of(painted_ball, CODE), lattice, level, step), lattice, level)
    assert painted_ball.points_queried < share * queried_densely
    assert np.array_equal(dense > level, quick > level)
    crossed = np.zeros(dense.shape, dtype=bool)
    for axis in range(3):  # corners at the ends of edges that cross the level
        changes = np.diff(dense > level, axis=axis)
        for end in range(2):
            crossed |= np.pad(changes, [(end, 1 - end) if each == axis else (0, 0) for each in range(3)])
    np.testing.assert_allclose(quick[crossed], dense[crossed], atol=1e-3)


def test_the_surface_is_followed_where_it_is_thinner_than_a_cell() -> None:
    def rod(points: np.ndarray) -> np.ndarray:
        """A ball, and a rod through it that passes between corners of all but the finest cells."""
        along, aside = points[:, 1], np.hypot(points[:, 0] - 1 / 64, points[:, 2] - 1 / 64)
        ball = 0.15 - np.linalg.norm(points, axis=1)
        return np.maximum(ball, np.minimum(0.01 - aside, 0.3 - np.abs(along))).astype(np.float32)

    lattice = Lattice(np.full(3, -0.5), np.full(3, 1 / 64), (64, 64, 64))
    near = sample_near_level(rod, lattice, 0.0, 2)
    found, whole = (_triangulate(each, lattice, 0.0) for each in (near, sample_near_level(rod, lattice, 0.0, 1)))
    assert whole.vertices[:, 1].max() > 0.29
    np.testing.assert_array_equal(found.faces, whole.faces)
    np.testing.assert_array_equal(found.vertices, whole.vertices)


def test_only_the_part_with_matter_is_kept_and_no_corner_is_asked_for_twice() -> None:
    asked: list[np.ndarray] = []

    def ball(points: np.ndarray) -> np.ndarray:
        asked.append(points)
        return (0.1 - np.linalg.norm(points - [0.3, -0.2, 0.0], axis=1)).astype(np.float32)

    lattice = Lattice(np.full(3, -0.5), np.full(3, 1 / 64), (64, 64, 64))
    near = sample_near_level(ball, lattice, 0.0, 4)
    every = np.concatenate(asked)
    assert len(np.unique(every, axis=0)) == len(every)
    assert near.values.size < 0.25 * 65**3
    whole, part = (_triangulate(each, lattice, 0.0) for each in (sample_near_level(ball, lattice, 0.0, 1), near))
    np.testing.assert_array_equal(part.faces, whole.faces)
    np.testing.assert_allclose(part.vertices, whole.vertices, atol=1e-6)


@pytest.mark.parametrize("step", [2, 4])
def test_cells_that_were_not_asked_for_hold_no_triangles(painted_ball: Any, step: int) -> None:
    lattice, level = visible_lattice(painted_ball.spec, 64, step), painted_ball.spec.surface_level
    near = sample_near_level(density_of(painted_ball, CODE), lattice, level, step)
    assert 0 < near.asked.mean() < 0.5
    kinds = (near, near._replace(asked=near.asked | True))
    some, every = (_triangulate(each, lattice, level) for each in kinds)
    np.testing.assert_array_equal(some.vertices, every.vertices)
    np.testing.assert_array_equal(some.faces, every.faces)


def test_the_lattice_covers_exactly_what_is_visible(painted_ball: Any) -> None:
    lattice = visible_lattice(painted_ball.spec, 100, 4)
    np.testing.assert_allclose(lattice.low, [-0.4, -0.5, -0.4])
    np.testing.assert_allclose(lattice.low + lattice.spacing * lattice.cells, [0.4, 0.5, 0.4])
    assert lattice.cells == (80, 100, 80)


def test_a_surface_cut_by_the_visible_box_is_closed() -> None:
    class Column:
        """A vertical cylinder through the whole box."""

        def __call__(self, points: np.ndarray) -> np.ndarray:
            return (0.2 - np.hypot(points[:, 0], points[:, 2])).astype(np.float32)

    lattice = Lattice(np.full(3, -0.5), np.full(3, 1 / 16), (16, 16, 16))
    surface = _triangulate(sample_near_level(Column(), lattice, 0.0, 1), lattice, 0.0)
    closed = trimesh.Trimesh(surface.vertices, surface.faces)
    assert closed.is_watertight
    np.testing.assert_allclose(closed.bounds[:, 1], [-0.5, 0.5])


def test_vertices_get_the_colour_of_their_place(painted_ball: Any) -> None:
    mesh = ball_mesh(painted_ball, resolution=48, scale=1.0)
    expected = mesh.vertices / COLOUR_REACH / 2 + 0.5
    error = np.abs(mesh.colours - expected).max(axis=1)
    assert np.median(error) < 0.01
    seen = mesh.vertices[:, 1] > -0.2  # no camera looks from far below
    assert np.quantile(error[seen], 0.99) < 0.05
    assert error.max() < 0.3


def test_hidden_vertices_do_not_take_the_colour_of_what_hides_them(painted_ball: Any) -> None:
    mesh = ball_mesh(painted_ball, resolution=64, scale=1.0)
    beside_nose = (np.abs(np.linalg.norm(mesh.vertices, axis=1) - 0.25) < 0.01) & (mesh.vertices[:, 2] > 0.22)
    assert beside_nose.sum() > 10
    blue = mesh.vertices[beside_nose, 2] / COLOUR_REACH / 2 + 0.5
    assert np.abs(mesh.colours[beside_nose, 2] - blue).max() < 0.06


def test_the_scale_is_in_metres(painted_ball: Any) -> None:
    small = ball_mesh(painted_ball, resolution=32)
    large = ball_mesh(painted_ball, resolution=32, scale=2.0)
    np.testing.assert_allclose(large.vertices, 4 * small.vertices, rtol=1e-5)
    assert np.ptp(small.vertices[:, 1]) == pytest.approx(0.25, abs=0.01)


def test_without_codes_the_mesh_is_grey(painted_ball: Any) -> None:
    assert (extract_mesh(painted_ball, CODE, resolution=32).colours == 0.5).all()


@pytest.mark.parametrize("resolution", [7, 0, -1, 1025])
def test_impossible_resolutions_are_refused(painted_ball: Any, resolution: int) -> None:
    with pytest.raises(InputError, match=f"8 to 1024, got {resolution}"):
        extract_surface(painted_ball, CODE, resolution)


def test_a_density_without_surface_is_an_error(painted_ball: Any) -> None:
    with pytest.raises(InputError, match="never crosses the level 1000"):
        extract_surface(painted_ball, CODE, 32, level=1000.0)


def test_several_heads_are_refused(painted_ball: Any) -> None:
    with pytest.raises(InputError, match="one head, got 2"):
        extract_surface(painted_ball, torch.zeros(2, 1), 32)


def test_a_tuned_inversion_gives_the_tuned_mesh(inversion: Inversion, spherical: SphericalGenerator) -> None:
    plain = inversion_mesh(inversion, spherical, 16)
    shift = torch.zeros_like(spherical.decode.bias)
    shift[0] = 3.0
    tuned = inversion_mesh(replace(inversion, tuned={"decode.bias": shift}), spherical, 16)
    assert np.ptp(tuned.vertices, axis=0).min() > np.ptp(plain.vertices, axis=0).min() * 1.02


def test_the_file_opens_elsewhere_with_geometry_colours_and_origin(painted_ball: Any, tmp_path: Path) -> None:
    mesh = ball_mesh(painted_ball, resolution=32)
    scene = trimesh.load(write_glb(tmp_path / "mesh.glb", mesh, {"method": "drawn"}))
    (read,) = scene.geometry.values()
    np.testing.assert_allclose(read.bounds, [mesh.vertices.min(0), mesh.vertices.max(0)], atol=1e-6)
    assert len(read.faces) == len(mesh.faces) and read.volume > 0
    assert scene.metadata["generated"] is True and scene.metadata["method"] == "drawn"
    linear = np.asarray(read.visual.vertex_attributes["color"])[:, :3] / 65535
    screen = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(screen, mesh.colours, atol=2e-3)
