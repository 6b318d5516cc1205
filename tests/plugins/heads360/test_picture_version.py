"""Whoever changes the pictures must raise their version: caches and folders of other people are told by it.

To write the file of a new version: python tests/plugins/heads360/test_picture_version.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toolkit.camera import Camera
from toolkit_plugins.heads360.dataset import Heads360
from toolkit_plugins.heads360.folder import VERSION
from toolkit_plugins.heads360.procedural import Heads
from toolkit_plugins.heads360.rendering import render
from toolkit_plugins.heads360.wild import make_head, photographed

KEPT = Path(__file__).parents[2] / "data/heads360"
LIMIT = 0.5
"""Mean difference in bytes; between machines, rays at edges hit this triangle or that."""


def thumbnails() -> np.ndarray:
    """A clean person and one in wild light, uint8 [2, 24, 24, 3]."""
    camera = Camera.orbit(0.3)
    clean = render(make_head("train", 0, 3), camera, 24, antialias=1)
    wild = photographed(render(make_head("train", 0, 7, "wild"), camera, 24, antialias=1), "train", 0, 7, "front")
    images = [((picture.image[0].clamp(-1, 1) + 1) * 127.5).round().byte() for picture in (clean, wild)]
    return np.stack([image.permute(1, 2, 0).numpy() for image in images])


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """In bytes."""
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def test_the_pictures_are_those_of_their_version():
    found, kept = thumbnails(), np.load(KEPT / f"version-{VERSION}.npz")["thumbnails"]
    assert difference(found, kept) < LIMIT, "the pictures changed: raise VERSION, then see this file's first lines"
    assert Heads360.version == VERSION


def test_a_slight_change_of_the_people_is_noticed():
    heads, camera = Heads(), Camera.orbit(0.3)
    origin, directions = camera.rays(24)
    origins, latent = origin.expand(directions.shape[1], 3), heads.latent("train", 0, 3)
    smiling = heads.with_expression(latent, "train", 0, 3, 1)
    one, other = (((heads.trace(who, origins, directions[0]).rgb + 1) * 127.5).numpy() for who in (latent, smiling))
    assert difference(one, other) > LIMIT


if __name__ == "__main__":
    np.savez_compressed(KEPT / f"version-{VERSION}.npz", thumbnails=thumbnails())
