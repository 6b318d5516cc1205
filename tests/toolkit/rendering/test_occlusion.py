"""Occlusion masks against exact ones: an analytic ellipsoid in a tri-grid, and the generator that is not a tri-grid."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from toolkit import load_generator
from toolkit.camera import Camera
from toolkit.errors import CapabilityError, InputError
from toolkit.interfaces import March
from toolkit.rendering.occlusion import is_visible, occlusion_mask, seen_points
from toolkit.rendering.views import around
from toolkit.testing import spherical_maps
from toolkit.testing.spherical import BareSphericalGenerator, SphericalGenerator

sys.path.insert(0, str(Path(__file__).parent))
from ellipsoid_trigrid import CHANNELS, CROP, DEPTH, EllipsoidMaps, EllipsoidTriGrid, marked, visible_points

YAWS = st.floats(-math.pi, math.pi)
PITCHES = st.floats(-0.6, 0.6)
AXES = st.tuples(*[st.floats(0.15, 0.32)] * 3)


def mask(generator: EllipsoidTriGrid, camera: Camera, resolution: int = 64, **options) -> Tensor:
    return occlusion_mask(generator, generator.blank(len(camera)), camera, resolution, **options)


def agreement(occlusion: Tensor, camera: Camera, generator: EllipsoidTriGrid, count: int) -> tuple[float, float]:
    """Share of entries on which a mask [3, D, H, W] and the exact one agree, and how much marked visible is right."""
    points = visible_points(camera, generator.axes.numpy(), generator.centre.numpy(), count)
    exact = torch.from_numpy(marked(points, generator.size))
    visible = occlusion < 0.5
    return float((visible == exact).float().mean()), float((visible & exact).sum() / visible.sum())


@settings(max_examples=10)
@given(yaw=YAWS, pitch=PITCHES, axes=AXES, lift=st.floats(-0.1, 0.1))
def test_masks_of_ellipsoids_agree_with_exact_ones(yaw: float, pitch: float, axes: tuple[float, ...], lift: float):
    generator = EllipsoidTriGrid(64, axes, (0.0, lift, 0.02))
    camera = Camera.orbit(yaw, pitch)
    agreed, right = agreement(mask(generator, camera, 256)[0], camera, generator, 150_000)
    assert agreed >= 0.99
    assert right >= 0.99


@settings(max_examples=10)
@given(yaw=YAWS, pitch=PITCHES, axes=AXES, lift=st.floats(-0.05, 0.05))
def test_masks_in_coarse_maps_agree_with_exact_ones(yaw: float, pitch: float, axes: tuple[float, ...], lift: float):
    generator = EllipsoidMaps(axes, (0.0, lift, 0.02))
    camera = Camera.orbit(yaw, pitch)
    visible = occlusion_mask(generator, generator.blank(), camera)[0] < 0.5
    # Pixels step over the last degrees before the limb, which here are as wide as half an entry.
    least, most = (
        generator.footprint(torch.from_numpy(points).float()[None])[0] > 0
        for points in (
            visible_points(camera, generator.axes.numpy(), generator.centre.numpy(), 100_000, (0.6,) * 3, facing)
            for facing in (0.2, 0.0)
        )
    )
    assert float(((visible & ~most) | (least & ~visible)).float().mean()) <= 0.01


def test_only_gaps_are_closed():
    """Closing by the window of a coarse map would fill true notches of a head that the pixels cover densely."""
    generator, camera = EllipsoidMaps(), Camera.orbit(0.8, 0.3)
    dense, bare = (occlusion_mask(generator, generator.blank(), camera, 256, closing=radius) for radius in (1, 0))
    assert torch.equal(dense, bare)
    assert bool((generator.close(1 - bare, 1) > 1 - bare).any())
    sparse, bare = (occlusion_mask(generator, generator.blank(), camera, 8, closing=radius) for radius in (1, 0))
    assert bool((sparse < bare).any())


@pytest.mark.slow
@pytest.mark.parametrize("yaw", [0.0, 0.6, math.pi / 2, 3.0])
def test_full_size_masks_agree_with_exact_ones(yaw: float):
    generator, camera = EllipsoidTriGrid(256), Camera.orbit(yaw, 0.1)
    agreed, right = agreement(mask(generator, camera, 256)[0], camera, generator, 3_000_000)
    assert agreed >= 0.99
    assert right >= 0.999


def test_a_ball_from_the_front_marks_a_disc_in_the_front_slot_and_nothing_at_the_back():
    radius = 0.25
    visible = 1 - mask(EllipsoidTriGrid(64, (radius,) * 3), Camera.orbit(), 256)[0]
    assert visible[0, 0].sum() == 0
    centres = (torch.arange(64) + 0.5) / 64 - 0.5
    distance = (centres[None].square() + centres[:, None].square()).sqrt()
    front = visible[0, 2]
    limit = radius * math.sqrt(1 - (radius / 2.7) ** 2)  # the limb, as seen from the camera's distance
    # slot 2 is read where z > 0, which on a ball is nearly the whole disc
    assert bool((front[distance < 0.96 * limit] == 1).all())
    assert bool((front[distance > limit + 2 / 64] == 0).all())


@given(yaw=YAWS, pitch=PITCHES, axes=AXES)
def test_mirroring_the_camera_mirrors_the_mask(yaw: float, pitch: float, axes: tuple[float, ...]):
    generator, camera = EllipsoidTriGrid(32, axes), Camera.orbit(yaw, pitch)
    straight, mirrored = mask(generator, camera)[0], mask(generator, camera.mirror())[0]
    expected = torch.stack([straight[0].flip(-1), straight[1].flip(-1), straight[2].flip(0)])
    assert float((mirrored != expected).float().mean()) < 1e-3
    whole, whole_mirrored = (mask(generator, each, per_slot=False)[0] for each in (camera, camera.mirror()))
    assert float((whole_mirrored[2] != whole[2]).float().mean()) < 1e-3


def test_noise_in_occluded_entries_changes_nothing_that_the_view_shows():
    generator, camera = EllipsoidTriGrid(64), Camera.orbit(0.4, 0.2)
    seen = seen_points(generator, generator.blank(), camera, 128)
    points = seen.points[:, seen.weights[0] > 0]
    occluded = generator.expand(mask(generator, camera, 128, closing=0)).bool()
    source = torch.Generator().manual_seed(0)
    planes, noise = (torch.randn(occluded.shape, generator=source) for _ in range(2))
    before = generator.query(planes, points).features
    assert torch.equal(generator.query(torch.where(occluded, planes + noise, planes), points).features, before)
    changed = generator.query(torch.where(occluded, planes, planes + noise), points).features != before
    assert bool(changed.any(-1).all())


def test_every_head_of_a_batch_is_masked_alone():
    generator = EllipsoidTriGrid(32)
    cameras = Camera.orbit(torch.tensor([0.0, 1.0, -2.5]), torch.tensor([0.0, 0.3, -0.2]))
    together = mask(generator, cameras)
    assert torch.equal(together, torch.cat([mask(generator, camera) for camera in cameras]))
    shared = occlusion_mask(generator, generator.blank(3), cameras[1].label, 64)
    assert torch.equal(shared, together[1:2].expand_as(shared))


def test_a_mask_is_zero_or_one_and_carries_no_gradient():
    generator = EllipsoidTriGrid(32)
    planes = generator.blank().requires_grad_()
    camera = Camera(Camera.orbit().label.requires_grad_())
    found = occlusion_mask(generator, planes, camera, 48)
    assert found.shape == (1, 3, DEPTH, 32, 32)
    assert found.dtype == torch.float32
    assert not found.requires_grad
    assert set(found.unique().tolist()) == {0.0, 1.0}
    assert generator.expand(found).shape == (1, 3, CHANNELS * DEPTH, 32, 32)
    with torch.inference_mode():
        assert torch.equal(mask(generator, Camera.orbit(), 48), found)


def test_options_reveal_more_and_never_less():
    generator, camera = EllipsoidTriGrid(64), Camera.orbit(0.5)
    bare = mask(generator, camera, 32, closing=0)
    for options in ({"closing": 1}, {"free_space": 4}, {"shell": 0.02}, {"per_slot": False}):
        more = mask(generator, camera, 32, **{"closing": 0, **options})
        assert bool((more <= bare).all()), options
        assert bool((more < bare).any()), options


def test_free_space_is_what_lies_in_front_of_the_surface():
    generator, camera = EllipsoidTriGrid(64, (0.2, 0.2, 0.2)), Camera.orbit()
    gained = mask(generator, camera, 64) - mask(generator, camera, 64, free_space=8)
    rows = gained[0, 1].sum(dim=(0, 2))  # plane 1: rows are z, the back first
    assert float(rows[:32].sum()) == 0
    assert float(rows[48:].sum()) > 0.6 * float(rows.sum())  # z > 0.25 is in front of the ball


def test_whole_columns_are_the_union_of_their_slots():
    generator, camera = EllipsoidTriGrid(32), Camera.orbit(0.9)
    slots, columns = (mask(generator, camera, 64, closing=0, per_slot=flag) for flag in (True, False))
    assert torch.equal(columns, slots.amin(2, keepdim=True).expand_as(slots))


def test_what_the_renderer_crops_or_leaves_empty_is_never_seen():
    outside = EllipsoidTriGrid(32, (0.05, 0.05, 0.05), (0.46, 0.0, 0.0))
    assert float(mask(outside, Camera.orbit()).min()) == 1
    behind = EllipsoidTriGrid(32, (0.05, 0.05, 0.05), (0.0, 0.0, 4.0))
    assert float(mask(behind, Camera.orbit()).min()) == 1
    inside = is_visible(torch.tensor([[0.39, 0.49, -0.39], [0.41, 0.0, 0.0], [0.0, 0.51, 0.0]]), outside.spec)
    assert inside.tolist() == [True, False, False]
    assert outside.spec.visible_half_extent == CROP


def test_depths_that_are_no_numbers_show_nothing():
    class Broken(EllipsoidTriGrid):
        def march(self, planes, camera, resolution):
            seen = super().march(planes, camera, resolution)
            depth = seen.depth.clone()
            depth[..., : resolution // 2] = float("nan")
            return March(depth, seen.opacity)

    broken, whole = mask(Broken(32), Camera.orbit()), mask(EllipsoidTriGrid(32), Camera.orbit())
    assert bool(torch.isfinite(broken).all())
    assert bool((broken >= whole).all())
    assert float(broken.sum()) > float(whole.sum())


def test_depth_of_nearly_empty_pixels_is_not_used():
    class Faint(EllipsoidTriGrid):
        def march(self, planes, camera, resolution):
            seen = super().march(planes, camera, resolution)
            return March(seen.depth, seen.opacity * 0.49)

    assert float(mask(Faint(32), Camera.orbit()).min()) == 1


def test_spherical_masks_agree_with_what_reading_depends_on(spherical: SphericalGenerator):
    z = torch.randn(1, spherical.latents.z_dim, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        planes = spherical.planes(spherical.mapping(z, spherical.spec.front_camera))
    camera = Camera.orbit(1.2, 0.2)
    visible = 1 - occlusion_mask(spherical, planes, camera, 96, closing=0)[0]
    coarse, fine = (read_entries(spherical, planes, camera, resolution) for resolution in (96, 192))
    assert torch.equal(visible, coarse)
    assert float((visible == fine).float().mean()) >= 0.98  # every texel counts for 1/576
    closed = 1 - occlusion_mask(spherical, planes, camera, 96)[0]
    assert float((closed == fine).float().mean()) >= 0.99
    assert 0.05 < float(fine.mean()) < 0.7


@pytest.mark.slow
@pytest.mark.parametrize("name", ["panohead-mini", "spherical"])
@pytest.mark.parametrize("yaw", [0.0, 1.1, 2.6])
def test_masks_agree_with_what_a_much_finer_view_sees(name: str, yaw: float, spherical: SphericalGenerator):
    generator = spherical if name == "spherical" else load_generator(name)
    camera = around(generator.spec, torch.tensor([yaw]))
    z = torch.randn(1, generator.spec.latents.z_dim, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        planes = generator.planes(generator.mapping(z, generator.spec.front_camera))
    seen = seen_points(generator, planes, camera, 512)
    fine = generator.footprint(seen.points, seen.weights) > 0  # type: ignore[attr-defined]
    visible = occlusion_mask(generator, planes, camera) < 0.5
    assert float((visible == fine).float().mean()) >= 0.99


def read_entries(generator: SphericalGenerator, planes: Tensor, camera: Camera, resolution: int) -> Tensor:
    """Entries [2, 12, 24] that, set alone, change what is read at a point of a view."""
    seen = seen_points(generator, planes, camera, resolution)
    points = seen.points[:, seen.weights[0] > 0]
    found = torch.zeros(spherical_maps.MAPS, spherical_maps.ROWS, spherical_maps.COLUMNS)
    for row in range(spherical_maps.ROWS):
        maps = torch.zeros(1, *found.shape, spherical_maps.COLUMNS)
        maps[0, :, row] = torch.eye(spherical_maps.COLUMNS)
        found[:, row] = (spherical_maps.sample(maps, points, generator.spec.box / 2)[0] > 0).any(1).float()
    return found


def test_what_a_generator_lacks_is_said_in_a_sentence(bare: BareSphericalGenerator, spherical: SphericalGenerator):
    planes = torch.zeros(1, *bare.spec.planes_shape)
    with pytest.raises(CapabilityError, match="'spherical-bare' does not"):
        occlusion_mask(bare, planes, Camera.orbit())
    with pytest.raises(CapabilityError, match="march; 'spherical-bare' cannot"):
        seen_points(bare, planes, Camera.orbit())
    with pytest.raises(CapabilityError, match="depth slots; 'spherical' has none"):
        occlusion_mask(spherical, planes, Camera.orbit(), per_slot=False)


@pytest.mark.parametrize("options", [{"closing": -1}, {"free_space": -1}, {"shell": -0.1}, {"shell": float("nan")}])
def test_impossible_options_are_refused(options: dict[str, float]):
    with pytest.raises(InputError, match="must not be negative"):
        mask(EllipsoidTriGrid(16), Camera.orbit(), 8, **options)


def test_impossible_sizes_are_refused():
    generator = EllipsoidTriGrid(16)
    with pytest.raises(InputError, match="resolution"):
        mask(generator, Camera.orbit(), 0)
    with pytest.raises(InputError, match="2 cameras"):
        occlusion_mask(generator, generator.blank(3), Camera.orbit().expand(2), 8)
