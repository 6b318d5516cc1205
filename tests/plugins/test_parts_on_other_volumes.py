"""Masks, stitchers and meshes work on EG3D's three planes and on SphereHead's two balls as on tri-grids."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit.errors import InputError
from toolkit.export.glb import write_glb
from toolkit.export.mesh import extract_mesh
from toolkit.interfaces import Softening
from toolkit.registry import default_registry
from toolkit.rendering.occlusion import occlusion_mask

SIZES = {
    "z_dim": 32, "w_dim": 32, "image_size": 64, "raw_size": 32, "channel_base": 1024, "channel_max": 32,
    "plane_size": 32, "feature_channels": 8, "sr_kind": "2X", "sr_widths": (16, 16), "samples": 12,
    "importance_samples": 12,
}  # fmt: skip
STITCHERS = [entry.name for entry in default_registry().of_kind("stitcher")]


@pytest.fixture(scope="module", params=["toolkit_plugins.eg3d:EG3D", "toolkit_spherehead:SphereHead"])
def generator(request: pytest.FixtureRequest) -> Any:
    """Random weights with a solid inside: raw density crosses the surface's level where features vary."""
    package, _, name = request.param.partition(":")
    pytest.importorskip(package)
    config = getattr(importlib.import_module(f"{package}.config"), f"{name}Config")(**SIZES)
    torch.manual_seed(0)
    made = getattr(importlib.import_module(f"{package}.generator"), name)(config).eval().requires_grad_(False)
    with torch.no_grad():
        head = heads(made)[1][:1]
        last = made.decoder.net[2]
        last.weight[0] *= 40  # density varies from place to place
        density = made.query(head, torch.rand(1, 4000, 3) - 0.5).density
        last.bias[0] += made.spec.surface_level - density.median()
    return made


def heads(generator: Any) -> tuple[torch.Tensor, torch.Tensor]:
    z = torch.randn(2, generator.spec.latents.z_dim, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ws = generator.mapping(z, generator.spec.front_camera.expand(2), 0.7)
        return ws, generator.planes(ws)


def test_a_mask_tells_what_the_camera_sees_from_what_it_does_not(generator: Any) -> None:
    _, planes = heads(generator)
    mask = occlusion_mask(generator, planes, generator.spec.front_camera.expand(2), 32)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert 0.1 < float(mask.mean()) < 1
    assert generator.expand(mask).shape == planes.shape


@pytest.mark.parametrize("name", STITCHERS)
def test_a_stitcher_joins_two_heads_which_render(generator: Any, name: str) -> None:
    ws, planes = heads(generator)
    stitcher = default_registry().load("stitcher", name)()
    mask = occlusion_mask(generator, planes[:1], generator.spec.front_camera, 32)
    soft = stitcher.soften(mask, generator) if isinstance(stitcher, Softening) else mask
    stitched = stitcher.stitch(planes[:1], planes[1:], generator.expand(soft))
    assert stitched.shape == planes[:1].shape
    assert not torch.equal(stitched, planes[:1]) and not torch.equal(stitched, planes[1:])
    view = generator.render(stitched, ws[:1], generator.spec.front_camera)
    assert torch.isfinite(view.image).all()


def test_the_surface_becomes_a_coloured_mesh(generator: Any, tmp_path: Path) -> None:
    ws, planes = heads(generator)
    mesh = extract_mesh(generator, planes[:1], ws[:1], 32)
    assert len(mesh.faces) > 100
    assert mesh.colours.shape == mesh.vertices.shape
    assert write_glb(tmp_path / "head.glb", mesh, {}).stat().st_size > 1000


def test_a_head_without_a_surface_is_one_sentence(generator: Any) -> None:
    ws, planes = heads(generator)
    with pytest.raises(InputError, match="never crosses the level"):
        extract_mesh(generator, planes[:1], ws[:1], 64, level=1e9)  # far off: no coarse cell is looked at more closely


def test_no_points_have_no_density(generator: Any) -> None:
    _, planes = heads(generator)
    with torch.no_grad():
        assert generator.density(planes, torch.zeros(2, 0, 3)).shape == (2, 0)
        assert generator.query(planes, torch.zeros(2, 0, 3)).density.shape == (2, 0, 1)
