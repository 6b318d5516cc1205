"""One sheet of a head: the input, its reconstruction and eight views all around."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from toolkit.camera import Camera
from toolkit.export.gallery import Gallery
from toolkit.rendering.pixels import resized, to_pixels
from toolkit.rendering.views import OnView, around

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, GeneratorSpec
    from toolkit.inversion import Inversion

SMALLEST_CELL = 256
"""Pictures on a sheet are enlarged to at least this side."""
_ROWS, _COLUMNS = 2, 4
_INK, _FAINT_INK, _PAPER, _EDGE = (32, 32, 36), (120, 120, 128), (255, 255, 255), (222, 222, 226)


def views_sheet(
    inversion: Inversion,
    generator: Generator,
    input_image: Tensor | None,
    on_view: OnView | None = None,
    gallery: Gallery | None = None,
) -> np.ndarray:
    """Lay out input, reconstruction and eight views around, back included, on white paper.

    Args:
        inversion: One head.
        generator: The generator that it was made with.
        input_image: [1, 3, S, S] or [3, S, S] in [-1, 1]; None leaves its place out.
        on_view: Told how many views are rendered.
        gallery: Of this inversion; None makes one.

    Returns:
        uint8 [H, W, 3].

    Raises:
        InputError: Not the generator of this inversion, or several heads.
    """
    gallery = gallery or Gallery.of(inversion, generator)
    images = list(gallery.frames(sheet_cameras(inversion, generator.spec), on_view))
    first = [("Reconstruction", images[0])]
    if input_image is not None:
        first.insert(0, ("Input", to_pixels(input_image.reshape(1, *input_image.shape[-3:]))[0]))
    others = [(_yaw_name(round(math.degrees(yaw))), image) for yaw, image in zip(_yaws(), images[1:], strict=True)]
    caption = f"{inversion.method} · {inversion.generator} · generated image"
    return _lay_out(first, others, caption)


def sheet_cameras(inversion: Inversion, spec: GeneratorSpec) -> Camera:
    """The input's camera, and eight around."""
    turned = around(spec, _yaws())
    return Camera(torch.cat([inversion.camera.label.to(turned.label), turned.label]))


def _yaws() -> Tensor:
    return torch.arange(_ROWS * _COLUMNS) * (2 * math.pi / (_ROWS * _COLUMNS))


def _yaw_name(degrees: int) -> str:
    return {0: "Front", 180: "Back · 180°"}.get(degrees, f"{degrees}°")


def _lay_out(first: list[tuple[str, np.ndarray]], others: list[tuple[str, np.ndarray]], caption: str) -> np.ndarray:
    """Draw one column of `first`, a wider gap, and `_COLUMNS` columns of `others`."""
    cell = _cell_side(max(image.shape[0] for _, image in others))
    unit = cell / 256
    gap, aisle, margin, label = (round(each * unit) for each in (14, 40, 32, 40))
    width = 2 * margin + (1 + _COLUMNS) * cell + aisle + (_COLUMNS - 1) * gap
    height = 2 * margin + _ROWS * (cell + label) + gap + round(14 * unit)
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font, small = ImageFont.load_default(round(18 * unit)), ImageFont.load_default(round(14 * unit))

    def place(column: int, row: int, name: str, image: np.ndarray) -> None:
        x = margin if column < 0 else margin + cell + aisle + column * (cell + gap)
        y = margin + row * (cell + label + gap)
        sheet.paste(Image.fromarray(resized(image, cell)), (x, y))
        draw.rectangle((x - 1, y - 1, x + cell, y + cell), outline=_EDGE)
        draw.text((x + cell / 2, y + cell + label * 0.5), name, fill=_INK, font=font, anchor="mm")

    for row, (name, image) in enumerate(first):
        place(-1, row, name, image)
    for index, (name, image) in enumerate(others):
        place(index % _COLUMNS, index // _COLUMNS, name, image)
    draw.text((width - margin, height - margin * 0.6), _drawable(caption), fill=_FAINT_INK, font=small, anchor="rm")
    return np.asarray(sheet)


def _cell_side(size: int) -> int:
    """A whole multiple of the pictures' size that is comfortable to look at."""
    return size * math.ceil(SMALLEST_CELL / size)


def _drawable(text: str) -> str:
    """Replace what the default font has no glyph for."""
    return "".join(letter if " " <= letter <= "~" or letter in "·°" else "?" for letter in text)
