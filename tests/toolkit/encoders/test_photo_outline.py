from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.encoders.photo_outline import MARGIN, RIM, PhotoOutline, background

SIDE = 64
LEFT, RIGHT, TOP = 20, 44, 16


def photo_of_a_square() -> Tensor:
    """A dark square on white that reaches the lower border, with a white button inside."""
    photo = torch.ones(1, 3, SIDE, SIDE)
    photo[..., TOP:, LEFT:RIGHT] = -0.5
    photo[..., 40:44, 30:34] = 1.0
    return photo


@pytest.fixture
def outline() -> PhotoOutline:
    return PhotoOutline(photo_of_a_square(), Camera.orbit(torch.tensor([0.4]), torch.tensor([0.1])))


def behind(outline: PhotoOutline, column: float, row: float, depth: float) -> Tensor:
    """A world point [1, 3] that the photo shows at a pixel."""
    direction = outline.camera.directions(torch.tensor([[[(column + 0.5) / SIDE, (row + 0.5) / SIDE]]]))
    return outline.camera.position + depth * direction[0]


def test_white_that_reaches_the_border_is_background():
    expected = torch.ones(SIDE, SIDE, dtype=torch.bool)
    expected[TOP:, LEFT:RIGHT] = False
    assert torch.equal(background(photo_of_a_square())[0, 0], expected)


def test_a_picture_without_white_has_no_background():
    assert not background(torch.full((1, 3, SIDE, SIDE), -0.9)).any()


def test_the_rim_is_the_heads_outermost_pixels(outline: PhotoOutline):
    row = outline.rim[0, 0, 30]
    assert row[LEFT : LEFT + RIM].all() and row[RIGHT - RIM : RIGHT].all()
    assert row.sum() == 2 * RIM


def test_colours_are_unclear_at_the_rim_and_where_the_head_is_too_wide(outline: PhotoOutline):
    head = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.bool)
    head[..., TOP:, LEFT - 5 : RIGHT] = True
    row = outline.unclear(head)[0, 0, 30]
    assert row[LEFT - 5 : LEFT + RIM].all() and not row[: LEFT - 5].any() and not row[LEFT + RIM : RIGHT - RIM].any()


@pytest.mark.parametrize("depth", [2.3, 2.7, 3.1])
def test_points_are_empty_at_any_depth_where_the_photo_shows_background(outline: PhotoOutline, depth: float):
    assert outline.is_empty(behind(outline, 5, 30, depth)).tolist() == [True]
    assert outline.is_empty(behind(outline, 32, 30, depth)).tolist() == [False]
    assert outline.is_empty(behind(outline, 32, 42, depth)).tolist() == [False]  # the white button
    assert outline.is_empty(behind(outline, LEFT - MARGIN, 30, depth)).tolist() == [False]
    assert outline.is_empty(behind(outline, LEFT - MARGIN - 1, 30, depth)).tolist() == [True]


def test_points_beside_the_picture_are_not_said_to_be_empty(outline: PhotoOutline):
    assert outline.is_empty(behind(outline, -3, 30, 2.7)).tolist() == [False]


def test_colours_are_shown_inside_the_rim_alone(outline: PhotoOutline):
    columns = [LEFT - 1, LEFT, LEFT + RIM - 1, LEFT + RIM, 32]
    points = torch.cat([behind(outline, column, 30, 2.7) for column in columns])
    assert outline.shows_colour(points).tolist() == [False, False, False, True, True]


def test_everything_is_empty_before_a_white_picture():
    outline = PhotoOutline(torch.ones(1, 3, SIDE, SIDE), Camera.orbit(torch.tensor([math.pi]), torch.tensor([0.0])))
    assert outline.is_empty(torch.zeros(1, 3)).all() and not outline.rim.any()
