"""Heads as functions of a latent: random streams, space, pictures, meshes."""

from __future__ import annotations

import math

import pytest
import torch

from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit.interfaces import ProceduralHeads
from toolkit_plugins.heads360.head import Head
from toolkit_plugins.heads360.mesh import head_mesh
from toolkit_plugins.heads360.parameters import LATENT_DIM, RANGES, head_parameters
from toolkit_plugins.heads360.procedural import Heads, landmarks
from toolkit_plugins.heads360.rendering import render
from toolkit_plugins.heads360.solids import Points
from toolkit_plugins.heads360.tracing import march, trace_rays
from toolkit_plugins.heads360.wild import WildHead, make_head

FRONT = Camera.orbit()


def mean_head() -> Head:
    return Head(head_parameters(torch.zeros(LATENT_DIM)))


def flat_rays(camera: Camera, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    origins, directions = camera.rays(size)
    return origins.expand(directions.shape[1], 3), directions[0]


def test_an_identity_is_the_same_for_ever():
    latent = Heads().latent("test", 0, 3)
    expected = torch.tensor([0.441390, -0.697537, -0.438948, -0.358902])
    assert torch.equal(latent, Heads().latent("test", 0, 3))
    assert torch.allclose(latent[:4], expected, atol=1e-6)
    assert isinstance(Heads(), ProceduralHeads)


def test_splits_and_seeds_share_no_identity():
    heads = Heads()
    latents = [
        heads.latent(split, seed, index)
        for split in ("train", "val", "test")
        for seed in range(3)
        for index in range(20)
    ]
    assert len({tuple(latent.tolist()) for latent in latents}) == len(latents)


@pytest.mark.parametrize(("split", "seed", "index"), [("holdout", 0, 0), ("train", -1, 0), ("train", 0, -1)])
def test_an_impossible_identity_is_refused(split: str, seed: int, index: int):
    with pytest.raises(InputError):
        Heads().latent(split, seed, index)


def test_a_latent_of_another_shape_is_refused():
    with pytest.raises(InputError, match="40 finite numbers"):
        head_parameters(torch.zeros(LATENT_DIM - 1))
    with pytest.raises(InputError, match="40 finite numbers"):
        head_parameters(torch.full((LATENT_DIM,), torch.nan))


def test_parameters_stay_within_their_ranges_and_move_smoothly():
    moved = {"beard", "glasses", "hair_colour", "hair_red", "iris_colour"}  # may be held at zero
    for index in range(10):
        latent = Heads().latent("train", 1, index)
        first, second = head_parameters(latent), head_parameters(latent + 1e-3)
        for name, (low, high) in RANGES.items():
            value = getattr(first, name)
            assert (min(low, 0.0) if name in moved else low) <= value <= high
            assert abs(getattr(second, name) - value) < 0.01 * (high - low)


def test_depth_ends_on_the_surface_and_agrees_with_the_mask():
    head = make_head("val", 0, 1)
    origins, directions = flat_rays(Camera.orbit(0.7, 0.2), 40)
    seen = trace_rays(head, origins, directions)
    assert 0.2 < seen.hit.float().mean() < 0.9
    points = (origins + seen.depth[:, None] * directions)[seen.hit]
    distance = head.distance(Points.of(points))
    assert distance.abs().max() < 0.0031  # grazing rays
    assert distance.abs().quantile(0.99) < 0.001
    assert torch.equal(seen.depth > 0, seen.hit)
    assert (seen.rgb[~seen.hit] == 1).all() and seen.rgb.abs().max() <= 1


def test_rays_that_miss_the_boxes_would_have_missed_the_head():
    """The early rejection changes nothing: pictures with and without it agree."""
    from toolkit_plugins.heads360 import tracing

    head = make_head("val", 0, 3, "wild")  # with a brim
    rays = flat_rays(Camera.orbit(2.0, -0.3), 48)
    fast = march(head, *rays)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing, "_BOXES", (((-9.0,) * 3, (9.0,) * 3),))
        slow = march(head, *rays)
    assert torch.equal(fast[0], slow[0]) and torch.equal(fast[1], slow[1])


def test_everything_visible_lies_in_the_frame():
    for index in range(4):
        head = make_head("train", 0, index, "wild")
        grid = torch.rand(20000, 3, generator=torch.Generator().manual_seed(index)) - 0.5
        inside = grid[(head.distance(Points.of(grid)) < 0) & (grid[:, 1] > -0.4)]
        assert inside[:, [0, 2]].abs().max() < 0.40
        assert inside.norm(dim=1).max() < 0.5


def test_a_picture_repeats_itself_and_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch):
    from toolkit_plugins.heads360 import tracing

    head = make_head("val", 0, 2)
    first = render(head, FRONT, 24)
    monkeypatch.setattr(tracing, "CHUNK", 1500)
    second = render(head, FRONT, 24)
    for one, other in zip(first, second, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_picture_mask_and_depth_fit_together():
    picture = render(make_head("val", 0, 2), Camera.orbit(torch.tensor([0.0, math.pi])), 32)
    assert picture.image.shape == (2, 3, 32, 32)
    assert picture.mask.shape == picture.depth.shape == (2, 1, 32, 32)
    assert ((picture.depth > 0) & (picture.mask == 0)).sum() == 0
    assert picture.depth[picture.mask == 1].min() > 2.2
    assert (picture.image[(picture.mask == 0).expand(-1, 3, -1, -1)] == 1).all()
    assert ((picture.mask > 0) & (picture.mask < 1)).any()
    assert picture.mask[..., -1, 16].min() == 1  # the shoulders reach the lower edge


@pytest.mark.parametrize(("size", "antialias"), [(0, 2), (32, 0), (5000, 1)])
def test_an_impossible_picture_is_refused(size: int, antialias: int):
    with pytest.raises(InputError):
        render(mean_head(), FRONT, size, antialias)


def test_a_shaved_head_is_symmetric():
    latent = torch.zeros(LATENT_DIM)
    latent[list(RANGES).index("hair_length")] = -4  # strands differ between the sides
    head = Head(head_parameters(latent))
    right, left = (render(head, Camera.orbit(yaw), 48, antialias=1) for yaw in (0.6, -0.6))
    assert (right.mask - left.mask.flip(3)).abs().mean() < 0.002
    assert (right.depth - left.depth.flip(3))[(right.mask * left.mask.flip(3)) == 1].abs().mean() < 1e-3


def test_positive_yaw_shows_more_of_the_side_of_positive_x():
    points = landmarks(mean_head())
    assert points.shape == (5, 3)
    assert points[0, 0] < 0 < points[1, 0] and points[3, 0] < 0 < points[4, 0]
    assert points[0, 1] > points[2, 1] > points[3, 1]
    nose = Camera.orbit(math.radians(30)).project(points)[0, 2]
    assert nose[0] < 0.5  # the camera went to +x, so the nose points to image-left


def test_landmarks_lie_on_the_face():
    head = make_head("val", 0, 4)
    assert head.distance(Points.of(landmarks(head))).abs().max() < 0.012
    assert torch.equal(landmarks(head), Heads().landmarks(Heads().latent("val", 0, 4)))


def test_small_steps_of_the_latent_change_pictures_little():
    latent = Heads().latent("train", 0, 5)
    first, second = (render(Head(head_parameters(z)), FRONT, 32).image for z in (latent, latent + 0.002))
    difference = (first - second).abs().mean()
    assert 0 < difference < 0.01


def test_colours_do_not_depend_on_the_viewer():
    head = make_head("train", 0, 6)
    target = torch.tensor([[0.0, 0.02, 0.19], [0.08, -0.03, 0.14], [0.0, -0.32, 0.05]])
    eyes = torch.stack([Camera.orbit(yaw).position[0] for yaw in (-0.1, 0.1)])
    seen = []
    for eye in eyes:
        directions = torch.nn.functional.normalize(target - eye, dim=1)
        result = trace_rays(head, eye.expand(3, 3), directions)
        points = eye + result.depth[:, None] * directions
        seen.append(head.shade(Points.of(points)))
        assert torch.allclose(seen[-1].t(), result.rgb, atol=1e-5)


def test_a_mesh_follows_the_surface():
    head = mean_head()
    mesh = head_mesh(head, resolution=40)
    assert mesh.is_watertight and mesh.volume > 0.01
    points = torch.from_numpy(mesh.vertices).float()
    above = points[points[:, 1] > -0.38]
    assert head.distance(Points.of(above)).abs().mean() < 0.002
    assert mesh.visual.vertex_colors.shape == (len(points), 4)
    with pytest.raises(InputError):
        head_mesh(head, resolution=2)


def test_wild_details_leave_the_clean_head_alone_but_change_the_picture():
    clean, wild = make_head("test", 0, 2), make_head("test", 0, 2, "wild")
    assert isinstance(wild, WildHead) and not isinstance(clean, WildHead)
    again = make_head("test", 0, 2, "wild")
    assert isinstance(again, WildHead) and wild.details == again.details
    one, other = render(clean, FRONT, 32), render(wild, FRONT, 32)
    assert (one.image - other.image).abs().mean() > 0.01
    assert (one.mask - other.mask).abs().mean() < 0.1
    with pytest.raises(InputError, match="domain"):
        make_head("test", 0, 2, "feral")


def test_hats_and_earrings_are_among_wild_heads():
    heads = [make_head("train", 0, index, "wild") for index in range(60)]
    assert {head.details.hat.kind for head in heads if isinstance(head, WildHead)} == {"none", "knitted", "brim"}
    assert {head.details.earrings.kind for head in heads if isinstance(head, WildHead)} == {"none", "stud", "hoop"}


def test_every_wild_part_can_be_painted():
    points = Points.of(torch.rand(200, 3, generator=torch.Generator().manual_seed(0)) * 0.4 - 0.2)
    for index in range(12):
        colours = make_head("train", 2, index, "wild").albedo(points)
        assert colours.shape == (3, 200) and torch.isfinite(colours).all()
