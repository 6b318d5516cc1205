"""The compiled kernels against NumPy: the same colours, and each small kernel against a few slow lines.

The colours in `shaded.npz` were first made by shading in NumPy alone. To write them for a new version of the people:
python tests/plugins/heads360/test_compiled.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage

from toolkit_plugins.heads360.compiled.fog import LOW, SIDE, STRIDE, VOXEL, clearness, light_inside
from toolkit_plugins.heads360.compiled.hits import gather
from toolkit_plugins.heads360.compiled.lamp import Lamp, lamp_rays
from toolkit_plugins.heads360.geometry import unit
from toolkit_plugins.heads360.head import Head
from toolkit_plugins.heads360.light import tone_mapped
from toolkit_plugins.heads360.parts import STRANDS, Kind, one_of
from toolkit_plugins.heads360.scene import Hits
from toolkit_plugins.heads360.shading.samples import Samples
from toolkit_plugins.heads360.tracing import shade
from toolkit_plugins.heads360.wild import make_head

KEPT = Path(__file__).parents[2] / "data/heads360/shaded.npz"
PEOPLE = (9, 22, 51, 56)
"""Freckles, moles, wrinkles, lipstick, teeth, beards, grey and bald heads, a hat."""
F32 = np.float32


def shaded() -> tuple[np.ndarray, np.ndarray]:
    """Colours, uint16 [P, N, 3], and labels, uint8 [P, N], of random points on skin and strands."""
    colours, labels = [], []
    for index in PEOPLE:
        head = make_head("train", 0, index, "wild")
        radiance, label = shade(head, points_on(head))
        colours.append(np.round(tone_mapped(radiance, head.details.light) * 65535).astype(np.uint16))
        labels.append(label)
    return np.stack(colours), np.stack(labels)


def points_on(head: Head) -> Samples:
    """3000 points on the skin of head and neck and 1500 on strands, seen aslant."""
    rng, solid = np.random.default_rng(0), head.solid
    skin = (solid.kinds == Kind.SKIN) & (solid.places[solid.faces[:, 0], 1] > 6)
    chosen = [rng.choice(np.nonzero(own)[0], n) for own, n in ((skin, 3000), (one_of(solid.kinds, STRANDS), 1500))]
    triangle = np.concatenate(chosen)
    weights = rng.dirichlet([1, 1, 1], len(triangle)).astype(F32)
    corners = solid.faces[triangle]
    points, features = (np.einsum("nc,ncd->nd", weights, of[corners]) for of in (solid.points, solid.features))
    normals, places, extra = unit(features[:, :3]), np.ascontiguousarray(features[:, 3:6]), features[:, 6:].copy()
    viewer = unit(normals + 0.5 * rng.normal(size=normals.shape))
    lamp = rng.choice(np.array([0, 1 / 3, 1], F32), len(triangle))
    return Samples(solid.kinds[triangle], corners, weights, points, normals, places, extra, viewer, lamp)


def test_colours_and_labels_are_those_of_numpy():
    colours, labels = shaded()
    with np.load(KEPT) as kept:
        away = np.abs(colours.astype(float) - kept["colours"]).max(-1) / 257
        # on another machine, single rays may hit another triangle when light is gathered
        assert np.quantile(away, 0.99) < 0.1 and np.quantile(away, 0.999) < 1
        assert (labels != kept["labels"]).sum() <= 2 and len(np.unique(labels)) >= 8


def test_points_are_gathered_from_their_triangles():
    rng = np.random.default_rng(0)
    count, faces = 50, rng.integers(0, 30, (20, 3)).astype(np.int32)
    features = rng.normal(size=(30, 8)).astype(F32)
    u, v, distance = (rng.uniform(0, 0.5, count).astype(F32) for _ in range(3))
    hits = Hits(rng.integers(0, 20, count).astype(np.int32), u, v, distance)
    origins, directions = rng.normal(size=(count, 3)).astype(F32), unit(rng.normal(size=(count, 3)))
    s = _room(count)
    gather(faces, features, hits, origins, directions, s)
    corners = faces[hits.triangle]
    weights = np.stack([1 - u - v, u, v], 1)
    read = np.einsum("nc,ncf->nf", weights, features[corners])
    normals = unit(read[:, :3])
    normals[(normals * directions).sum(1) > 0.2] *= -1
    assert np.array_equal(s.corners, corners) and np.array_equal(s.viewer, -directions)
    assert np.array_equal(s.points, origins + directions * distance[:, None])
    assert np.abs(s.weights - weights).max() < 1e-6 and np.abs(s.normals - normals).max() < 1e-5
    assert np.abs(np.c_[s.places, s.extra] - read[:, 3:]).max() < 1e-5


def _room(count: int) -> Samples:
    vectors = [np.empty((count, 3), F32) for _ in range(5)]
    weights, points, normals, places, viewer = vectors
    corners, extra = np.empty((count, 3), np.int32), np.empty((count, 2), F32)
    return Samples(np.zeros(count, np.uint8), corners, weights, points, normals, places, extra, viewer, extra[:, 0])


def test_rays_to_the_lamp_are_drawn_from_the_points_alone():
    rng = np.random.default_rng(1)
    points, normals = rng.normal(size=(40, 3)).astype(F32), unit(rng.normal(size=(40, 3)))
    lamp = Lamp((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 0.3)
    own = np.arange(5, 40)
    angle = _hashed(points[own], 0x9E3779B1) * 2 * np.pi
    radius = np.sqrt(0.15 + 0.85 * _hashed(points[own], 0x85EBCA6B))
    first = [(turn, radius) for turn in (0, np.pi)]
    later = [(np.pi * (0.5 + 1.236 * spot), np.full(35, np.sqrt((spot - 1.5) / 4.5))) for spot in (2, 3, 4, 5)]
    for start, spots in ((0, first), (2, later)):
        origins, directions = np.empty((35, len(spots), 3), F32), np.empty((35, len(spots), 3), F32)
        lamp_rays(points.view(np.uint32), points, normals, own, start, lamp, origins, directions)
        for place, (turn, reach) in enumerate(spots):
            beside = 0.3 * reach[:, None] * np.stack([np.cos(angle + turn), np.sin(angle + turn)], 1)
            towards = unit(np.c_[beside, np.ones(35)])
            assert np.abs(directions[:, place] - towards).max() < 1e-6
            assert np.abs(origins[:, place] - points[own] - 0.012 * normals[own] - 0.03 * towards).max() < 1e-6


def _hashed(points: np.ndarray, salt: int) -> np.ndarray:
    """Random numbers [N] in 0..1 from points [N, 3]."""
    bits = np.ascontiguousarray(points).view(np.uint32)
    mixed = bits[:, 0] * np.uint32(0x8DA6B343) ^ bits[:, 1] * np.uint32(0xD8163841) ^ bits[:, 2] * np.uint32(0xCB1AB31F)
    mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(salt)
    mixed = (mixed ^ (mixed >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return ((mixed ^ (mixed >> np.uint32(16))) >> np.uint32(8)) / (1 << 24)


def test_fog_dims_light_by_what_lies_along_a_ray():
    rng = np.random.default_rng(2)
    density = rng.random(SIDE**3).astype(F32)
    origins, directions = rng.uniform(-2.5, 2.5, (6, 3)).astype(F32), unit(rng.normal(size=(4, 3)))
    rows, columns = (index.ravel() for index in np.indices((6, 4)))
    seen = (rng.random(24) > 0.3).astype(F32)
    expected = np.zeros(24)
    for ray in np.nonzero(seen)[0]:
        steps = STRIDE * (np.arange(9) + F32(0.9))[:, None] * directions[columns[ray]]
        voxel = np.clip((origins[rows[ray]] + steps - LOW) / VOXEL, 0, SIDE - 1).astype(int)
        looked = density.reshape(SIDE, SIDE, SIDE)[tuple(voxel.T)]
        expected[ray] = np.exp(-0.5 * STRIDE * looked.sum())
    clearness(density, origins, directions, rows, columns, 9, 0.5, seen)
    assert np.abs(seen - expected).max() < 1e-5


def test_light_inside_hair_is_interpolated_between_filled_voxels():
    rng = np.random.default_rng(3)
    grids = rng.random((SIDE**3, 5)).astype(F32)
    grids[:, 4] = grids[:, 4] > 0.2
    for point in rng.uniform(-1.9, 1.9, (5, 3)):
        place = (point - LOW) / VOXEL - 0.5
        read = [
            ndimage.map_coordinates(grids[:, column].reshape((SIDE,) * 3), place[:, None], order=1)[0]
            for column in range(5)
        ]
        ambient, lamp = light_inside(grids, tuple(point))
        expected = np.array(read[:4]) / max(read[4], 0.05)
        assert np.abs(np.array([*ambient, lamp]) - expected).max() < 1e-5


if __name__ == "__main__":
    made = shaded()
    np.savez_compressed(KEPT, colours=made[0], labels=made[1])
