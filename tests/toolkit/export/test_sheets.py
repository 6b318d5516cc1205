from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import ImageFont

from toolkit.export import sheets
from toolkit.export.sheets import views_sheet
from toolkit.inversion import Inversion
from toolkit.rendering.pixels import resized, to_pixels
from toolkit.testing.spherical import SphericalGenerator


@pytest.mark.parametrize(("size", "cell"), [(48, 288), (64, 256), (128, 256), (256, 256), (512, 512)])
def test_cells_are_comfortable_whole_multiples(size: int, cell: int) -> None:
    assert sheets._cell_side(size) == cell


def test_the_sheet_shows_input_reconstruction_and_all_sides(
    inversion: Inversion, spherical: SphericalGenerator
) -> None:
    marked = torch.full((1, 3, 48, 48), -1.0)
    marked[:, 1] = 1.0
    sheet = views_sheet(inversion, spherical, marked)
    other = views_sheet(inversion, spherical, -marked[0])
    assert sheet.dtype == np.uint8 and sheet.shape == other.shape
    changed = np.argwhere((sheet != other).any(axis=2))
    assert changed[:, 1].max() < sheet.shape[1] / 4 and changed[:, 0].max() < sheet.shape[0] / 2
    assert (sheet == (0, 255, 0)).all(axis=2).sum() == 288**2
    reconstruction = resized(to_pixels(inversion.render(spherical).image)[0], 288)
    assert any(
        np.abs(sheet[y : y + 288, x : x + 288].astype(int) - reconstruction).mean() < 1
        for y in range(300, 460)
        for x in range(30, 45)
    )


def test_the_margins_of_the_sheet_are_even_and_white(inversion: Inversion, spherical: SphericalGenerator) -> None:
    sheet = views_sheet(inversion, spherical, None)
    filled = np.argwhere((sheet < 250).any(axis=2))
    top, left = filled.min(axis=0)
    bottom, right = np.array(sheet.shape[:2]) - 1 - filled.max(axis=0)
    assert left == pytest.approx(right, abs=3) and top == pytest.approx(left, abs=3)
    assert 0 < bottom <= left


def test_every_letter_of_a_label_has_a_glyph() -> None:
    font = ImageFont.load_default(20)
    unknown = font.getmask("\u2603").getbbox(), bytes(font.getmask("\u2603"))
    for letter in "Input Reconstruction Front Back · 180° 45°":
        assert letter == " " or (font.getmask(letter).getbbox(), bytes(font.getmask(letter))) != unknown
    assert sheets._drawable("méthode – 1·2°") == "m?thode ? 1·2°"
