from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from toolkit.camera import Camera
from toolkit.errors import InputError, WeightsError
from toolkit.testing import spherical_maps as maps
from toolkit.testing.spherical import SphericalGenerator, build_spherical


def head(generator: SphericalGenerator, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    z = torch.randn(1, 16, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        ws = generator.mapping(z, generator.spec.front_camera)
        return generator.planes(ws), ws


def test_the_head_is_a_blob_in_the_middle_of_the_view(spherical: SphericalGenerator):
    planes, ws = head(spherical)
    view = spherical.render(planes, ws, Camera.orbit())
    assert view.mask[0, 0, 12, 12] > 0.999
    assert view.mask[0, 0, 0, 0] < 1e-4
    assert 2.7 - 0.35 < view.depth[0, 0, 12, 12] < 2.7 - 0.15


def test_face_and_back_of_the_head_have_other_colours(spherical: SphericalGenerator):
    planes, ws = head(spherical)
    front = spherical.render(planes, ws, Camera.orbit()).raw[0, :, 12, 12]
    back = spherical.render(planes, ws, Camera.orbit(math.pi)).raw[0, :, 12, 12]
    assert front.mean() > back.mean() + 0.3


def test_weights_are_fixed_by_the_seed():
    assert build_spherical().spec.fingerprint == build_spherical().spec.fingerprint
    assert build_spherical().spec.fingerprint != SphericalGenerator(seed=1).spec.fingerprint


def test_weights_come_from_a_file_and_damaged_ones_are_refused(tmp_path: Path):
    other = SphericalGenerator(seed=1)
    save_file(other.state_dict(), tmp_path / "w.safetensors")
    assert build_spherical(tmp_path / "w.safetensors").spec.fingerprint == other.spec.fingerprint
    (tmp_path / "bad.safetensors").write_bytes(b"not weights")
    for name in ("bad.safetensors", "absent.safetensors"):
        with pytest.raises(WeightsError, match=name.partition(".")[0]):
            build_spherical(tmp_path / name)


def test_the_azimuth_has_no_seam():
    torch.manual_seed(0)
    planes = torch.randn(1, maps.MAPS, maps.ROWS, maps.COLUMNS, 3)
    sides = torch.tensor([[[1e-6, 0.1, -0.3], [-1e-6, 0.1, -0.3]]])
    left, right = maps.sample(planes, sides, 0.6).unbind(2)
    torch.testing.assert_close(left, right, atol=1e-3, rtol=0)


def test_a_point_is_read_at_the_texel_of_its_direction():
    theta, phi, radius = (3 + 0.5) / 12 * math.pi, ((17 + 0.5) / 24 - 0.5) * 2 * math.pi, 0.6 * (5 + 0.5) / 12
    point = radius * torch.tensor([math.sin(theta) * math.sin(phi), math.cos(theta), math.sin(theta) * math.cos(phi)])
    hit = maps.splat(point[None, None], torch.ones(1, 1), 0.6)
    assert hit[0, 0, 3, 17] == pytest.approx(1, abs=1e-3)
    assert hit[0, 1, 5, 17] == pytest.approx(1, abs=1e-3)
    assert hit.sum() == pytest.approx(2, abs=1e-3)


def test_splatting_is_the_adjoint_of_sampling():
    torch.manual_seed(0)
    planes = torch.randn(2, maps.MAPS, maps.ROWS, maps.COLUMNS, 1)
    points, weights = torch.randn(2, 30, 3) * 0.3, torch.rand(2, 30)
    read = (maps.sample(planes, points, 0.6)[..., 0] * weights[:, None]).sum()
    splatted = (maps.splat(points, weights, 0.6) * planes[..., 0]).sum()
    torch.testing.assert_close(read, splatted, rtol=1e-4, atol=1e-4)


def test_closing_fills_a_gap_across_the_back_and_not_across_the_poles():
    occupancy = torch.zeros(1, 2, 12, 24)
    occupancy[:, :, 4:8, 23] = 1
    occupancy[:, :, 4:8, 1] = 1
    closed = maps.close(occupancy, 1)
    assert (closed[:, :, 4:8, 0] == 1).all()
    assert closed.sum() == occupancy.sum() + 8


@pytest.mark.parametrize("size", [0, 4, 24])
def test_sizes_without_a_block_are_refused(spherical: SphericalGenerator, size: int):
    with pytest.raises(InputError, match="6, 12"):
        spherical.features(torch.zeros(1, 3, 24), size)


def test_a_ray_grid_of_nothing_is_refused(spherical: SphericalGenerator):
    planes, ws = head(spherical)
    with pytest.raises(InputError, match="resolution"):
        spherical.render(planes, ws, Camera.orbit(), 0)


def test_no_points_are_read_as_nothing(spherical: SphericalGenerator):
    planes, _ = head(spherical)
    nowhere = torch.zeros(1, 0, 3)
    density, features = spherical.query(planes, nowhere)
    assert density.shape == (1, 0, 1) and features.shape == (1, 0, maps.CHANNELS)
    assert torch.equal(spherical.footprint(nowhere), torch.zeros(1, maps.MAPS, maps.ROWS, maps.COLUMNS))
