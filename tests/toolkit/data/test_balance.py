from __future__ import annotations

import numpy as np
import pytest
import torch

from toolkit.camera import Camera
from toolkit.data import balance
from toolkit.data.balance import pose_density, rebalancing_weights
from toolkit.errors import InputError


@pytest.mark.parametrize(
    ("density", "copies"),
    [(1.0, 1), (0.17, 1), (0.15, 2), (0.1, 2), (0.09, 3), (0.07, 3), (0.065, 4), (0.03, 4), (0.029, 5), (0.02, 5),
     (0.019, 6), (0.0, 6)],
)  # fmt: skip
def test_copies_follow_the_published_rule(density: float, copies: int):
    assert rebalancing_weights(np.array([density])).tolist() == [copies]


def test_impossible_densities_are_refused():
    with pytest.raises(InputError, match="finite and not negative"):
        rebalancing_weights(np.array([0.1, -1.0]))


def test_rare_poses_have_a_low_density_and_a_high_weight():
    yaws = torch.cat([0.2 * torch.randn(300, generator=torch.Generator().manual_seed(0)), torch.tensor([1.4])])
    pitches = 0.1 * torch.randn(301, generator=torch.Generator().manual_seed(1))
    density = pose_density(Camera.orbit(yaws, pitches))
    assert density[-1] == density.min()
    assert rebalancing_weights(density)[-1] > rebalancing_weights(density)[:300].mean()


def test_the_density_of_a_known_cloud_is_right_and_symmetric():
    yaws = 0.3 * torch.randn(2000, generator=torch.Generator().manual_seed(0))
    pitches = 0.2 * torch.randn(2000, generator=torch.Generator().manual_seed(1))
    cameras = Camera.orbit(torch.cat([yaws, -yaws, torch.zeros(1)]), torch.cat([pitches, pitches, torch.zeros(1)]))
    density = pose_density(cameras)
    assert density[-1] == pytest.approx(1 / (2 * np.pi * 0.3 * 0.2), rel=0.15)
    assert density[:2000] == pytest.approx(density[2000:4000], rel=1e-4)


def test_cameras_at_eye_height_do_not_collapse():
    cameras = Camera.orbit(torch.linspace(-1, 1, 21), torch.tensor(0.0))
    with pytest.raises(InputError, match="three cameras in different directions"):
        pose_density(cameras)  # a line of directions has no density
    varied = Camera.orbit(torch.linspace(-1, 1, 21), 0.1 * torch.linspace(-1, 1, 21).square())
    assert np.isfinite(pose_density(varied)).all()


def test_densities_of_long_lists_are_computed_once(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path))
    yaws = torch.randn(60, generator=torch.Generator().manual_seed(0))
    cameras = Camera.orbit(yaws, 0.1 * yaws.flip(0))
    plain = pose_density(cameras)
    monkeypatch.setattr(balance, "_MANY", 50)
    assert np.array_equal(pose_density(cameras), plain)
    with monkeypatch.context() as nothing_to_compute_with:
        nothing_to_compute_with.setattr("scipy.stats.gaussian_kde", None)
        assert np.array_equal(pose_density(cameras), plain)
    (kept,) = tmp_path.rglob("*.npy")
    for damage in (b"", kept.read_bytes()[:90], b"\x93NUMPY\x01\x00\x06\x00{{{{{{", b"\x80\x04N."):
        kept.write_bytes(damage)
        assert np.array_equal(pose_density(cameras), plain)


def test_densities_do_not_need_a_cache(tmp_path, monkeypatch):
    (tmp_path / "densities").write_text("no folder")
    yaws = torch.randn(60, generator=torch.Generator().manual_seed(0))
    cameras = Camera.orbit(yaws, 0.1 * yaws.flip(0))
    plain = pose_density(cameras)
    monkeypatch.setattr(balance, "_MANY", 50)
    for place in (tmp_path, tmp_path / "densities", "/proc/nothing"):
        monkeypatch.setenv("TOOLKIT_CACHE", str(place))
        assert np.array_equal(pose_density(cameras), plain)
