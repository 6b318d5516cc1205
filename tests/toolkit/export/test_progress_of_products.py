"""Every product tells how far it is, while it is made."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import torch

from toolkit.camera import Camera
from toolkit.export.products import Products, write_mesh, write_orbit, write_products, write_views
from toolkit.inversion import Inversion, identity_of
from toolkit.testing.spherical import SphericalGenerator


class Listener:
    def __init__(self) -> None:
        self.heard: dict[str, list[tuple[int, int]]] = defaultdict(list)

    def note(self, text: str) -> None:
        raise AssertionError(text)

    def step(self, name: str, done: int, total: int, item: str = "", error: str | None = None) -> None:
        self.heard[name].append((done, total))


def inversion_of(generator: SphericalGenerator) -> Inversion:
    z = torch.randn(1, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ws = generator.mapping(z, generator.spec.front_camera)
        planes = generator.planes(ws)
    return Inversion(ws=ws, planes=planes, camera=Camera.orbit(), method="drawn", **identity_of(generator.spec))


def test_views_videos_and_meshes_tell_their_views(tmp_path: Path, spherical: SphericalGenerator) -> None:
    listener, head = Listener(), inversion_of(spherical)
    write_products(tmp_path, head, spherical, None, Products(video=False, mesh=False, viewer=False), progress=listener)
    write_views(tmp_path, head, spherical, [(0.0, None), (90.0, None)], 8, progress=listener)
    write_orbit(tmp_path / "turn.mp4", head, spherical, 3, 8, progress=listener)
    write_mesh(tmp_path / "head.glb", head, spherical, 16, progress=listener)
    totals = {name: told[-1] for name, told in listener.heard.items()}
    assert totals.pop("head: surface")[1] >= 1
    assert totals == {"head: views.png": (9, 9), "head: views": (2, 2), "head: turn.mp4": (3, 3),
                      "head: head.glb": (19, 19)}  # fmt: skip
    for told in listener.heard.values():
        assert told[0][0] == 0 and told == sorted(told)
