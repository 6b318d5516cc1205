"""Rays, samples and marching against the official renderer (tests/data/panohead/renderer_only.npz)."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit.nn import trigrid, trigrid_layout
from toolkit.nn.decoder import PointDecoder
from toolkit.rendering import marching
from toolkit.rendering.marching import MarchSettings, march, march_density, trace
from toolkit.rendering.rays import Rays, automatic_limits, camera_rays
from toolkit.rendering.sampling import FIXED_DRAWS, Draws, stratified_depths

with np.load(Path(__file__).parents[2] / "data" / "panohead" / "renderer_only.npz") as _file:
    GOLDEN = {key: np.asarray(_file[key]) for key in _file.files}


def array(key: str) -> Tensor:
    return torch.from_numpy(GOLDEN[key])


def decoder() -> PointDecoder:
    net = PointDecoder(32, 32)
    net.load_state_dict({key[len("sd/decoder.") :]: array(key) for key in GOLDEN if key.startswith("sd/")})
    return net


def field(points: Tensor) -> tuple[Tensor, Tensor]:
    return decoder()(trigrid.read_trigrid(trigrid_layout.as_volumes(array("planes"), 3), points * 2))


def keep(points: Tensor) -> Tensor:
    return (points[..., 0].abs() <= 0.4) & (points[..., 2].abs() <= 0.4)


def variant(index: int) -> tuple[MarchSettings, Draws]:
    options = json.loads(str(GOLDEN[f"v{index}/options"]))
    settings = MarchSettings(
        options["depth_resolution"],
        options["depth_resolution_importance"],
        options["ray_start"],
        options["ray_end"],
        disparity=options["disparity_space_sampling"],
        white_back=options.get("white_back", False),
    )
    if options["draws"] == "det":
        return settings, FIXED_DRAWS
    return settings, Draws(array(f"v{index}/jitter"), array(f"v{index}/u_importance"))


def check(key: str, value: Tensor, tolerance: float = 1e-4) -> None:
    expected = array(key)
    torch.testing.assert_close(value.detach().reshape(expected.shape), expected, atol=tolerance, rtol=0)


def test_point_reading_and_decoding() -> None:
    volumes, points = trigrid_layout.as_volumes(array("planes"), 3), array("points") * 2
    check("point_features", trigrid.sample_volumes(volumes, points).transpose(2, 3).contiguous())
    density, features = field(array("points"))
    check("point_sigma", density, 1e-3)
    check("point_rgb", features.transpose(1, 2).contiguous())


@pytest.mark.parametrize("inference", [True, False])
@pytest.mark.parametrize("index", range(4))
def test_every_official_variant(index: int, inference: bool) -> None:
    settings, draws = variant(index)
    rays = camera_rays(array("c"), 8)
    with torch.inference_mode(inference):
        steps = trace(field, rays, settings, draws=draws, keep=keep)
        marched = march(field, rays, settings, draws=draws, keep=keep)
    check(f"v{index}/depths_all", steps.depths)
    check(f"v{index}/densities_all", steps.densities, 1e-3)
    check(f"v{index}/weights_all", steps.weights)
    assert marched.features is not None
    check(f"v{index}/features", marched.features.transpose(1, 2).contiguous())
    check(f"v{index}/depth", marched.depth)
    check(f"v{index}/weights_sum", marched.opacity)


def test_chunks_change_nothing() -> None:
    settings, draws = variant(0)
    rays = camera_rays(array("c"), 8)
    with torch.no_grad():
        whole = march(field, rays, settings, draws=draws, keep=keep, chunk=10**9)
        parts = march(field, rays, settings, draws=draws, keep=keep, chunk=200)
    for first, second in zip(whole, parts, strict=True):
        torch.testing.assert_close(first, second, atol=1e-5, rtol=0)


def test_sparing_work_outside_the_crop_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    settings, draws = variant(0)
    rays = camera_rays(array("c"), 8)
    results = []
    for share in (0.0, 2.0):
        monkeypatch.setattr(marching, "WORTH_SPARING", share)
        planes = array("planes").requires_grad_()
        net = decoder()
        asked: list[int] = []

        def own(points: Tensor, planes: Tensor = planes, net: PointDecoder = net, asked: list[int] = asked):
            asked.append(points.shape[1])
            return net(trigrid.read_trigrid(trigrid_layout.as_volumes(planes, 3), points * 2))

        marched = march(own, rays, settings, draws=draws, keep=keep)
        assert marched.features is not None
        (gradient,) = torch.autograd.grad(marched.features.square().mean() + marched.opacity.mean(), planes)
        results.append((sum(asked), *marched, gradient))
    assert results[1][0] < results[0][0]
    for full, spared in zip(results[0][1:], results[1][1:], strict=True):
        torch.testing.assert_close(full, spared, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("importance", [True, False])
def test_what_a_dense_neighbour_shows_of_cut_samples_is_evaluated_once(
    monkeypatch: pytest.MonkeyPatch, importance: bool
) -> None:
    settings, draws = variant(0)
    settings = settings if importance else dataclasses.replace(settings, importance=0)
    rays = camera_rays(array("c"), 8)
    samples = 2 * 64 * (settings.count + settings.importance)
    results, asked = [], []
    for share in (0.0, 2.0):
        monkeypatch.setattr(marching, "WORTH_SPARING", share)
        scale = torch.tensor(3000.0, requires_grad=True)
        count = 0

        def dense(points: Tensor, scale: Tensor = scale) -> tuple[Tensor, Tensor]:
            nonlocal count
            count += points.shape[0] * points.shape[1]
            return scale * (points[..., 1] > -0.1), torch.cat([points, points.sin()], -1).transpose(1, 2)

        marched = march(dense, rays, settings, draws=draws, keep=keep)
        assert marched.features is not None
        (gradient,) = torch.autograd.grad(marched.features.square().mean() + marched.opacity.mean(), scale)
        results.append((*marched, gradient))
        asked.append(count)
    assert asked[0] == samples and asked[1] < samples
    for full, spared in zip(*results, strict=True):
        torch.testing.assert_close(full, spared, atol=1e-6, rtol=1e-5)


def test_geometry_alone_is_the_same_geometry() -> None:
    settings, draws = variant(0)
    rays = camera_rays(array("c"), 8)
    with torch.no_grad():
        full = march(field, rays, settings, draws=draws, keep=keep)
        bare = march_density(lambda points: field(points)[0], rays, settings, draws=draws, keep=keep)
    assert bare.features is None
    torch.testing.assert_close(bare.depth, full.depth)
    torch.testing.assert_close(bare.opacity, full.opacity)


def test_depth_of_empty_rays_is_the_farthest_and_has_finite_gradients() -> None:
    level = torch.tensor(-2000.0, requires_grad=True)
    rays = camera_rays(Camera.orbit(), 4)
    settings = MarchSettings(8, 4, 2.0, 3.0)
    marched = march_density(lambda points: level + 0 * points[..., 0], rays, settings)
    assert float(marched.opacity.detach().max()) == 0
    assert torch.equal(marched.depth, marched.depth.max().expand_as(marched.depth))
    (gradient,) = torch.autograd.grad(marched.depth.sum() + marched.opacity.sum(), level)
    assert torch.isfinite(gradient)


def test_an_opaque_ball_is_met_at_its_surface() -> None:
    def ball(points: Tensor) -> Tensor:
        return (0.3 - points.norm(dim=-1)) * 1e4

    rays = camera_rays(Camera.orbit(0.7, 0.3), 9)
    marched = march_density(ball, rays, MarchSettings(64, 64, 2.2, 3.2))
    centre = marched.depth[0, 40]
    assert float(centre) == pytest.approx(2.4, abs=0.02)
    assert float(marched.opacity[0, 40]) == pytest.approx(1, abs=1e-3)
    assert float(marched.opacity[0, 0]) == pytest.approx(0, abs=1e-3)


def test_seeded_draws_repeat_and_differ_from_the_fixed_ones() -> None:
    rays = camera_rays(array("c"), 8)
    settings, _ = variant(0)
    with torch.no_grad():
        first, second, other, fixed = (
            march(field, rays, settings, draws=draws).depth
            for draws in (
                Draws(generator=torch.Generator().manual_seed(1)),
                Draws(generator=torch.Generator().manual_seed(1)),
                Draws(generator=torch.Generator().manual_seed(2)),
                FIXED_DRAWS,
            )
        )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert not torch.equal(first, fixed)


def test_draws_of_a_wrong_size_are_refused() -> None:
    with pytest.raises(InputError, match="jitter draws must hold"):
        march(field, camera_rays(array("c"), 8), variant(0)[0], draws=Draws(torch.zeros(3)))


def test_automatic_limits_follow_the_cube() -> None:
    origins = torch.tensor([[[0.0, 0.0, 2.0]]])
    directions = torch.tensor([[[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [0.2, 0.0, -1.0]]])
    start, end = automatic_limits(Rays(origins, torch.nn.functional.normalize(directions, dim=-1)), 1.0)
    assert start[0, 0] == 1.5 and end[0, 0] == 2.5
    # a miss gets the smallest and, upstream's slip, the largest start of the hits
    assert start[0, 1] == 1.5 and end[0, 1] == start[0, 2]


def test_strata_reach_one_step_beyond_the_end() -> None:
    depths = stratified_depths(2.0, 3.0, torch.full((1, 1, 5), 0.5))
    torch.testing.assert_close(depths[0, 0], torch.tensor([2.125, 2.375, 2.625, 2.875, 3.125]))
