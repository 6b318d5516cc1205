from __future__ import annotations

import torch
from torch import Tensor

from toolkit.encoders.fit_target import background, fit_target
from toolkit.interfaces import Render

SIDE = 16


def photo_of_a_square() -> Tensor:
    """A dark square on white that reaches the lower border, with a white button inside."""
    photo = torch.ones(1, 3, SIDE, SIDE)
    photo[..., 4:, 4:12] = -0.5
    photo[..., 8:10, 7:9] = 1.0
    return photo


def view_of(columns: slice) -> Render:
    """A grey head in these columns, from the fifth row on."""
    mask = torch.zeros(1, 1, SIDE, SIDE)
    mask[..., 4:, columns] = 1.0
    image = torch.where(mask > 0, torch.zeros(1, 3, SIDE, SIDE), torch.ones(1, 3, SIDE, SIDE))
    return Render(image, image, torch.ones_like(mask), mask)


def test_white_that_reaches_the_border_is_background():
    found = background(photo_of_a_square())[0, 0]
    expected = torch.ones(SIDE, SIDE, dtype=torch.bool)
    expected[4:, 4:12] = False
    assert torch.equal(found, expected)


def test_a_head_that_is_wider_than_the_photos_keeps_its_sides():
    photo, view = photo_of_a_square(), view_of(slice(2, 14))
    target = fit_target(photo, view)
    assert torch.equal(target[..., 4:, 4:12], photo[..., 4:, 4:12])  # what the photo shows, the button too
    assert torch.equal(target[..., 4:, 2:4], view.image[..., 4:, 2:4])
    assert torch.equal(target[..., :4, :], photo[..., :4, :])


def test_a_narrower_head_is_fitted_to_the_whole_photo():
    photo = photo_of_a_square()
    assert torch.equal(fit_target(photo, view_of(slice(6, 10))), photo)


def test_a_picture_without_white_has_no_background():
    assert not background(torch.full((1, 3, SIDE, SIDE), -0.9)).any()
