"""Views of a head: rendered in batches, and laid out on one sheet."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import Module

from toolkit.camera import Camera, as_camera
from toolkit.errors import InputError
from toolkit.interfaces import Render
from toolkit.rendering.pixels import resized, to_pixels

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, GeneratorSpec
    from toolkit.inversion import Inversion

BATCH = 4
SMALLEST_CELL = 256
"""Pictures on a sheet are enlarged to at least this side."""
_ROWS, _COLUMNS = 2, 4
_INK, _FAINT_INK, _PAPER, _EDGE = (32, 32, 36), (120, 120, 128), (255, 255, 255), (222, 222, 226)


def device_of(generator: Generator) -> torch.device:
    """The device of a generator's parameters (CPU if it has none)."""
    parameter = next(cast(Module, generator).parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def iterate_views(
    generator: Generator,
    planes: Tensor,
    ws: Tensor,
    cameras: Camera | Tensor,
    batch: int = BATCH,
    resolution: int | None = None,
) -> Iterator[Render]:
    """Render one head from many cameras, a batch at a time, without gradients.

    Args:
        generator: What renders.
        planes: [1, *spec.planes_shape].
        ws: [1, num_ws, w_dim].
        cameras: Any number of cameras.
        batch: Views rendered together.
        resolution: Side of the ray grid; None takes the generator's own.

    Yields:
        Renders of up to `batch` views, on the CPU, in the cameras' order.

    Raises:
        InputError: More than one head, or a resolution or batch below 1.
    """
    if planes.shape[0] != 1 or ws.shape[0] != 1:
        raise InputError(f"views show one head at a time, got {planes.shape[0]} planes and {ws.shape[0]} codes")
    if batch < 1 or (resolution is not None and resolution < 1):
        raise InputError(f"batch and resolution must be at least 1, got {batch} and {resolution}")
    device = device_of(generator)
    planes, ws, cameras = planes.to(device), ws.to(device), as_camera(cameras).to(device)
    for start in range(0, len(cameras), batch):
        part = cameras[start : start + batch]
        count = len(part)
        with torch.no_grad():
            seen = generator.render(planes.expand(count, *planes.shape[1:]), ws.expand(count, -1, -1), part, resolution)
        yield Render(*(tensor.detach().cpu() for tensor in seen))


def render_views(
    generator: Generator,
    planes: Tensor,
    ws: Tensor,
    cameras: Camera | Tensor,
    batch: int = BATCH,
    resolution: int | None = None,
) -> Render:
    """All views of `iterate_views` in one `Render` (batch = number of cameras)."""
    parts = list(iterate_views(generator, planes, ws, cameras, batch, resolution))
    if not parts:
        raise InputError("no camera to render from")
    return Render(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def around(spec: GeneratorSpec, yaws: Tensor, pitches: Tensor | float | None = None) -> Camera:
    """Cameras on the generator's own orbit; radians, `pitches` None takes the orbit's."""
    orbit = spec.orbit
    pitch = orbit.pitch if pitches is None else pitches
    return Camera.orbit(yaws, pitch, radius=orbit.radius, pivot=orbit.pivot, focal=orbit.focal)


def views_sheet(inversion: Inversion, generator: Generator, input_image: Tensor | None) -> np.ndarray:
    """Lay out input, reconstruction and eight views around, back included, on white paper.

    Args:
        inversion: One head.
        generator: The generator that it was made with.
        input_image: [1, 3, S, S] or [3, S, S] in [-1, 1]; None leaves its place out.

    Returns:
        uint8 [H, W, 3].

    Raises:
        InputError: Not the generator of this inversion, or several heads.
    """
    shown = inversion.tuned_generator(generator)
    yaws = torch.arange(_ROWS * _COLUMNS) * (2 * math.pi / (_ROWS * _COLUMNS))
    turned = around(shown.spec, yaws)
    cameras = Camera(torch.cat([inversion.camera.label.to(turned.label), turned.label]))
    images = to_pixels(render_views(shown, inversion.planes, inversion.ws, cameras).image)
    first = [("Reconstruction", images[0])]
    if input_image is not None:
        first.insert(0, ("Input", to_pixels(input_image.reshape(1, *input_image.shape[-3:]))[0]))
    others = [(_yaw_name(round(math.degrees(yaw))), image) for yaw, image in zip(yaws, images[1:], strict=True)]
    caption = f"{inversion.method} · {inversion.generator} · generated image"
    return _lay_out(first, others, caption)


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
