"""Triangles that Embree reads where they stand against its slow twin, which copies them."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from toolkit_plugins.heads360 import embree, scene
from toolkit_plugins.heads360.embree import SharedTriangles, can_share
from toolkit_plugins.heads360.geometry import unit
from toolkit_plugins.heads360.scene import CopiedTriangles, Scene

F32 = np.float32
shared = pytest.mark.skipif(not can_share(), reason="Embree's functions cannot be found through embreex here")


def triangles(seed: int, count: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """Small triangles all over a cube: points, more than are used, and faces."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (count, 1, 3)) + 0.08 * rng.normal(size=(count, 3, 3))
    return np.concatenate([points.reshape(-1, 3), np.full((9, 3), 5.0)]).astype(F32), np.arange(3 * count).reshape(
        -1, 3
    )


def rays(seed: int, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Rays from every side, of which some miss."""
    rng = np.random.default_rng(seed)
    origins = 3 * unit(rng.normal(size=(count, 3)))
    return origins, unit(rng.normal(scale=0.9, size=(count, 3)) - origins)


@shared
def test_shared_triangles_are_hit_where_copied_ones_are():
    of, along = triangles(0), rays(1)
    one, other = SharedTriangles(*of), CopiedTriangles(*of)
    found, expected = one.hits(*along), other.hits(*along)
    met = expected[0] >= 0
    assert 0.2 < met.mean() < 0.98
    assert np.array_equal(found[0], expected[0])
    assert all(np.array_equal(a[met], b[met]) for a, b in zip(found, expected, strict=True))
    assert np.array_equal(one.blocked(*along), met) and np.array_equal(other.blocked(*along), met)


@shared
def test_many_scenes_at_once_keep_their_own_triangles():
    along = rays(2, 300)
    scenes = [SharedTriangles(*triangles(seed, 200)) for seed in range(3)]
    expected = [CopiedTriangles(*triangles(seed, 200)).hits(*along)[0] for seed in range(3)]
    del scenes[0]
    gc.collect()
    assert not np.array_equal(expected[1], expected[2])
    assert all(np.array_equal(one.hits(*along)[0], other) for one, other in zip(scenes, expected[1:], strict=True))


@shared
def test_no_rays_and_no_triangles_meet_nothing():
    none = np.empty((0, 3), F32)
    assert len(SharedTriangles(*triangles(0, 5)).blocked(none, none)) == 0
    empty = SharedTriangles(np.zeros((3, 3), F32), np.empty((0, 3), np.int32))
    assert not empty.blocked(*rays(1, 20)).any() and (empty.hits(*rays(1, 20))[0] == -1).all()


def test_without_embrees_functions_triangles_are_copied(monkeypatch: pytest.MonkeyPatch):
    def missing() -> None:
        raise AttributeError("rtcNewGeometry")

    monkeypatch.setattr(embree, "_library", missing)
    assert not can_share.__wrapped__()
    monkeypatch.setattr(scene, "can_share", lambda: False)
    lone = Scene(*triangles(0, 5))
    assert isinstance(lone._triangles, CopiedTriangles)
    assert (lone.hits(*rays(1, 40)).triangle < 5).all()
