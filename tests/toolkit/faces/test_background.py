from __future__ import annotations

import numpy as np
import pytest

from toolkit.errors import InputError
from toolkit.faces.background import UniformMatting, composite, replace_uniform, uniform_background
from toolkit.faces.detection import Face
from toolkit.faces.grabcut import GrabCutMatting
from toolkit.interfaces import Matting


def ball(colour: tuple[int, int, int] = (255, 255, 255), size: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """A dark ball with a white spot inside, antialiased, on one colour; and its exact opacity."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    opacity = (30.5 - np.hypot(x, y)).clip(0, 1).astype(np.float32)
    inner = np.where((np.hypot(x, y) < 8)[..., None], 255.0, [60.0, 30.0, 20.0])
    image = opacity[..., None] * inner + (1 - opacity[..., None]) * np.array(colour)
    return image.round().astype(np.uint8), opacity


@pytest.mark.parametrize("colour", [(255, 255, 255), (250, 252, 249), (20, 200, 40)])
def test_uniform_backgrounds_are_keyed_almost_exactly(colour: tuple[int, int, int]):
    image, opacity = ball(colour)
    mask = UniformMatting().matte(image)
    assert mask.dtype == np.float32 and np.abs(mask - opacity).max() < 0.12
    assert mask[48, 48] == 1  # the white spot inside is not a background


def test_a_white_background_on_white_changes_nothing():
    image, _ = ball()
    mask = UniformMatting().matte(image)
    np.testing.assert_array_equal(replace_uniform(image, mask, np.array([255.0] * 3), (255, 255, 255)), image)


def test_a_uniform_background_is_replaced_without_a_seam():
    green, _ = ball((20, 200, 40))
    white, _ = ball()
    changed = replace_uniform(green, UniformMatting().matte(green), np.array([20.0, 200.0, 40.0]), (255, 255, 255))
    assert np.abs(changed.astype(int) - white).max() < 32
    assert np.abs(changed.astype(int) - white).mean() < 0.5


def test_busy_backgrounds_are_not_called_uniform(astronaut: np.ndarray):
    assert uniform_background(astronaut) is None
    with pytest.raises(InputError, match="grabcut"):
        UniformMatting().matte(astronaut)


def test_the_astronaut_is_cut_out(astronaut: np.ndarray, astronaut_face: Face):
    part = np.ascontiguousarray(astronaut[:350, 50:400])
    mask = GrabCutMatting().matte(part, astronaut_face.landmarks - [50, 0])
    assert mask.shape == (350, 350) and mask.dtype == np.float32 and mask.min() >= 0 and mask.max() <= 1
    heads = {"hair": (118, 75), "hair right": (235, 85), "face": (175, 120), "neck": (165, 195), "suit": (150, 330)}
    walls = {"left": (60, 60), "right": (290, 60), "above": (175, 8), "flag": (15, 120), "under the hair": (105, 140)}
    assert {name: round(float(mask[y, x]), 1) for name, (x, y) in heads.items()} == dict.fromkeys(heads, 1.0)
    assert {name: round(float(mask[y, x]), 1) for name, (x, y) in walls.items()} == dict.fromkeys(walls, 0.0)


def test_matting_is_reproducible_and_leaves_the_photo_alone(astronaut: np.ndarray, astronaut_face: Face):
    before = astronaut.copy()
    first, second = (GrabCutMatting().matte(astronaut, astronaut_face.landmarks) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(astronaut, before)


@pytest.mark.parametrize("shape", [(64, 64), (9, 200), (8, 8)])
def test_a_picture_of_nothing_still_gets_some_mask(shape: tuple[int, int]):
    mask = GrabCutMatting().matte(np.full((*shape, 3), 120, np.uint8))
    assert mask.shape == shape and np.isfinite(mask).all()


def test_composites_put_the_head_on_the_colour():
    image, opacity = ball((20, 200, 40))
    result = composite(image, opacity, (0, 0, 255))
    assert result[0, 0].tolist() == [0, 0, 255] and result[48, 48].tolist() == [255, 255, 255]
    assert (result[..., 1].astype(int) - 60).max() > 0  # the white spot stays
    ring = (opacity > 0.1) & (opacity < 0.9)
    assert result[ring][:, 1].max() < 100  # no green shines through the outline
    with pytest.raises(InputError, match="one size"):
        composite(image, opacity[:5])


def test_the_mattings_keep_their_contract():
    assert isinstance(GrabCutMatting(), Matting) and isinstance(UniformMatting(), Matting)
