"""People: what a latent means, and what rays see."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit.interfaces import DressedHeads, ProceduralHeads
from toolkit_plugins.heads360 import rendering
from toolkit_plugins.heads360.anatomy import anatomy
from toolkit_plugins.heads360.details import clean_details, wild_light
from toolkit_plugins.heads360.from_latent import person_of
from toolkit_plugins.heads360.hair.styles import STYLES
from toolkit_plugins.heads360.head import Head
from toolkit_plugins.heads360.identity import latent_of
from toolkit_plugins.heads360.labels import Label
from toolkit_plugins.heads360.latent import EXPRESSION_DIM, LATENT_DIM, PIECES
from toolkit_plugins.heads360.mesh import head_mesh
from toolkit_plugins.heads360.parts import Kind
from toolkit_plugins.heads360.procedural import Heads
from toolkit_plugins.heads360.rendering import Picture, render
from toolkit_plugins.heads360.shaping import FLOOR, REACH, TOP, UNIT
from toolkit_plugins.heads360.wild import photographed


@pytest.fixture(scope="module")
def latent() -> torch.Tensor:
    return latent_of("train", 0, 3)


@pytest.fixture(scope="module")
def head(latent: torch.Tensor) -> Head:
    return Head(person_of(latent))


@pytest.fixture(scope="module")
def picture(head: Head) -> Picture:
    return render(head, Camera.orbit(0.2), 48)


def test_the_shapes_name_their_source_and_licence():
    assert anatomy().about["licence"] == "CC0-1.0" and len(anatomy().about["wheel sha256"]) == 64


def test_people_offer_what_trainings_ask_for(latent: torch.Tensor):
    heads = Heads()
    assert isinstance(heads, ProceduralHeads) and isinstance(heads, DressedHeads)
    assert latent.shape == (LATENT_DIM,) and PIECES[-1] == ("expression", EXPRESSION_DIM)
    assert float(latent.square().mean()) == pytest.approx(1, abs=1e-5)


def test_a_latent_must_fit():
    with pytest.raises(InputError, match="finite numbers"):
        person_of(torch.zeros(LATENT_DIM + 1))
    with pytest.raises(InputError, match="finite numbers"):
        person_of(torch.full((LATENT_DIM,), float("nan")))


def test_splits_share_no_latent():
    drawn = [latent_of(split, 0, index) for split in ("train", "val", "test") for index in (0, 1)]
    assert all(not torch.equal(drawn[i], drawn[j]) for i in range(6) for j in range(i))


def test_another_expression_leaves_the_person(latent: torch.Tensor):
    other = Heads().with_expression(latent, "train", 0, 3, 1)
    one, two = person_of(latent), person_of(other)
    assert one.expression != two.expression
    assert one.hair.style == two.hair.style and np.array_equal(one.shape, two.shape)


def test_everything_lies_where_a_generator_sees_it(head: Head):
    x, y, z = head.solid.points.T
    assert np.hypot(x, z).max() < REACH + 0.02 and y.min() > FLOOR - 0.02 and y.max() < TOP + 0.02
    assert REACH / UNIT < 0.37 and TOP / UNIT < 0.37 and -FLOOR / UNIT < 0.371


def test_mask_depth_and_labels_agree(picture: Picture):
    inside, outside = picture.mask == 1, picture.mask == 0
    assert inside.float().mean() > 0.3 and outside.float().mean() > 0.2
    assert bool(((picture.depth > 2) == (picture.label > 0)).all())
    assert (picture.depth[inside] > 0).float().mean() > 0.99  # a centre may look between strands
    assert (picture.depth[outside] == 0).float().mean() > 0.99
    assert bool((picture.image[:, :, outside[0, 0]] == 1).all())


def test_depth_is_where_the_surface_is(head: Head, picture: Picture):
    camera = Camera.orbit(0.2)
    origins, directions = camera.rays(48)
    depth = picture.depth.reshape(-1)
    points = (origins[0] + directions[0] * depth[:, None])[depth > 0].numpy() * UNIT
    chosen = np.linspace(0, len(points) - 1, 40).astype(int)
    a, b, c = (head.solid.points[head.solid.faces[:, corner]] for corner in range(3))
    normal = np.cross(b - a, c - a)
    normal = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    middle = (a + b + c) / 3
    size = np.sqrt(np.maximum(((a - middle) ** 2).sum(1), ((b - middle) ** 2).sum(1)).clip(((c - middle) ** 2).sum(1)))
    for point in points[chosen]:
        near = ((middle - point) ** 2).sum(1) <= (size + 1e-3) ** 2
        assert np.abs(((point - middle[near]) * normal[near]).sum(1)).min() < 2e-3


def test_a_front_shows_the_parts_of_a_face(head: Head):
    front = render(head, Camera.orbit(0.0), 96, antialias=1)
    seen = {Label(int(value)).name for value in front.label.unique()}
    assert {"BACKGROUND", "SKIN", "EYE", "LIP", "CLOTH", "BROW", "HAIR"} <= seen
    back = render(head, Camera.orbit(math.pi), 96, antialias=1)
    assert not {int(Label.EYE), int(Label.LIP)} & set(back.label.unique().tolist())


def test_every_label_is_seen_somewhere():
    person = person_of(latent_of("train", 0, 7))
    hair = replace(person.hair, style="crop", beard="full", beard_length=0.8, beard_density=1.0)
    open_mouth = replace(person.expression, actions={"jawOpen": 0.5}, teeth=0.8)
    person = replace(
        person, hair=hair, expression=open_mouth, dress=replace(person.dress, glasses="thick", cloth="t-shirt")
    )
    head, seen = Head(person), set()
    for yaw in (0.0, 1.2, math.pi):
        seen |= set(render(head, Camera.orbit(yaw), 96, antialias=1).label.unique().tolist())
    assert seen == {int(label) for label in Label}


def test_the_landmarks_are_where_the_labels_say(head: Head, latent: torch.Tensor):
    camera = Camera.orbit(0.0)
    places = (camera.project(Heads().landmarks(latent))[0] * 96).long()
    label = render(head, camera, 96, antialias=1).label[0, 0]

    def near(place: torch.Tensor) -> set[int]:
        x, y = place.tolist()
        return set(label[y - 3 : y + 4, x - 3 : x + 4].flatten().tolist())

    assert Label.EYE in near(places[0]) and Label.EYE in near(places[1])
    assert places[0, 0] < places[1, 0] and places[3, 0] < places[4, 0] and places[2, 1] < places[3, 1]
    assert {Label.LIP, Label.MOUTH} & near(places[3]) and {Label.LIP, Label.MOUTH} & near(places[4])


def test_heads_do_not_depend_on_who_looked_before(latent: torch.Tensor):
    origins, directions = Camera.orbit(0.3).rays(16)
    origins = origins[:, None].expand_as(directions)[0]
    first = Heads().trace(latent, origins, directions[0])
    Heads().trace(latent_of("train", 0, 4), origins[:4], directions[0, :4])
    Heads().trace(latent_of("train", 0, 5), origins[:4], directions[0, :4])
    again = Heads().trace(latent, origins, directions[0])
    assert torch.equal(first.rgb, again.rgb) and torch.equal(first.depth, again.depth)
    dressed = Heads().trace_dressed(latent, ("train", 0, 3), origins, directions[0])
    assert not torch.equal(dressed.rgb, first.rgb)


def test_the_mesh_is_what_rays_see(head: Head):
    mesh = head_mesh(head, strands=False)
    whole = head_mesh(head)
    assert len(whole.faces) == len(head.solid.faces) > 4 * len(mesh.faces)
    assert np.abs(whole.bounds).max() < 0.38
    assert mesh.visual.vertex_colors.shape == (len(mesh.vertices), 4)


def test_fewer_rays_where_nothing_changes_give_the_same_picture(head: Head):
    camera = Camera.orbit(0.4)
    fast, slow = render(head, camera, 64), render(head, camera, 64, everywhere=True)
    assert torch.equal(fast.depth, slow.depth) and torch.equal(fast.label, slow.label)
    assert (fast.image - slow.image).abs().mean() < 0.008
    assert (fast.mask - slow.mask).abs().mean() < 0.002


def test_colours_that_nothing_looks_at_change_nothing(head: Head, monkeypatch: pytest.MonkeyPatch):
    camera = Camera.orbit(2.0)
    fast = render(head, camera, 64)
    compared = rendering._compared
    left_out = []

    def all_of_them(*arguments: object) -> np.ndarray:
        left_out.append(~compared(*arguments))
        return np.ones_like(left_out[-1])

    monkeypatch.setattr(rendering, "_compared", all_of_them)
    slow = render(head, camera, 64)
    assert left_out[0].any() and all(torch.equal(one, other) for one, other in zip(fast, slow, strict=True))


def test_a_camera_that_looks_beside_a_head_sees_white(head: Head):
    camera = Camera.orbit(0.0)
    seen = render(head, camera.shifted(torch.tensor([[9.0, 0.0, 0.0]])), 32)
    assert (seen.image == 1).all() and not seen.mask.any() and not seen.depth.any() and not seen.label.any()


def test_another_light_changes_colours_alone(head: Head):
    rng = np.random.default_rng(3)
    camera = Camera.orbit(0.0)
    before, after = render(head, camera, 24, 1), render(head.relit(wild_light(rng)), camera, 24, 1)
    assert torch.equal(before.depth, after.depth) and not torch.equal(before.image, after.image)
    again = render(head, camera, 24, 1)
    assert torch.equal(before.image, again.image)


def test_hats_scarves_and_photographs_leave_the_truth_exact():
    details = replace(clean_details(), hat="cap", scarf=True)
    person = person_of(latent_of("train", 0, 7))
    dressed = render(Head(person, details), Camera.orbit(0.0), 64, 1)
    assert (dressed.label == Label.ACCESSORY).float().mean() > 0.03
    photo = photographed(dressed, "train", 0, 7, "front")
    assert torch.equal(photo.mask, dressed.mask) and torch.equal(photo.depth, dressed.depth)
    assert not torch.equal(photo.image, dressed.image)
    assert bool((photo.image[:, :, dressed.mask[0, 0] == 0] == 1).all())


@pytest.mark.slow
@pytest.mark.parametrize("style", sorted(STYLES))
def test_every_style_grows_hair(style: str):
    person = person_of(latent_of("train", 0, 3))
    head = Head(replace(person, hair=replace(person.hair, style=style)))
    hair = head.solid.kinds == Kind.HAIR
    assert hair.sum() > 5000
    points = head.solid.points[np.unique(head.solid.faces[hair])]
    assert np.isfinite(points).all() and np.hypot(points[:, 0], points[:, 2]).max() < REACH + 0.02
