"""A page to turn the head on: one HTML file with its pictures inside, which opens from disk without a network."""

from __future__ import annotations

import base64
import html
import io
import json
import math
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from toolkit.camera import Camera
from toolkit.devices import told_arithmetic
from toolkit.errors import InputError
from toolkit.export.gallery import Gallery
from toolkit.files import atomic_write
from toolkit.rendering.pixels import GENERATED_BY, resized
from toolkit.rendering.views import OnView, around

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, GeneratorSpec
    from toolkit.inversion import Inversion

YAWS = 36
PITCHES = (-20.0, 0.0, 25.0)
"""Degrees above the orbit's own pitch."""
BUDGET = 4_000_000
"""Bytes that the page should not exceed."""
_SIDES = (256, 512)
"""Frames smaller or larger than this are resized."""
_QUALITIES = (88, 80, 70, 60, 45)
_SHRINK = 0.75
_LEAST_SIDE = 64


def write_viewer(
    path: str | os.PathLike[str],
    inversion: Inversion,
    generator: Generator,
    yaws: int = YAWS,
    pitches: Sequence[float] = PITCHES,
    resolution: int | None = None,
    budget: int = BUDGET,
    on_view: OnView | None = None,
    gallery: Gallery | None = None,
) -> Path:
    """Render the head from all around and write the page.

    Args:
        path: The `.html` file.
        inversion: One head.
        generator: The generator that it was made with.
        yaws: Frames per ring.
        pitches: Degrees above the orbit's own pitch, rising, one ring each.
        resolution: Side of the ray grid; None takes the generator's own.
        budget: Bytes that the page should not exceed; quality, then size, gives way.
        on_view: Told how many views are rendered.
        gallery: Of this inversion, with a resolution of its own; None makes one.

    Raises:
        InputError: Not the generator of this inversion, several heads, or no frames asked for.
        OutputError: The place cannot be written.
    """
    if yaws < 1 or not pitches or list(pitches) != sorted(pitches):
        raise InputError(f"a viewer needs at least one yaw and rising pitches, got {yaws} and {list(pitches)}")
    gallery = gallery or Gallery.of(inversion, generator, resolution)
    frames = list(gallery.frames(viewer_cameras(generator.spec, yaws, pitches), on_view))
    caption = " · ".join([inversion.method, inversion.generator, *told_arithmetic(), "generated image"])
    page = build_page([frames[start : start + yaws] for start in range(0, len(frames), yaws)], pitches, caption, budget)
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(path)


def viewer_cameras(spec: GeneratorSpec, yaws: int = YAWS, pitches: Sequence[float] = PITCHES) -> Camera:
    """One ring per pitch (degrees above the orbit's own), each from the front on."""
    ring = torch.arange(yaws) * (2 * math.pi / yaws)
    tilts = torch.deg2rad(torch.tensor(pitches)) + spec.orbit.pitch
    return around(spec, ring.repeat(len(pitches)), tilts.repeat_interleave(yaws))


def build_page(
    rings: Sequence[Sequence[np.ndarray]], pitches: Sequence[float], caption: str, budget: int = BUDGET
) -> str:
    """Make the page out of rings of frames, one ring per pitch (degrees), yaw rising from the front.

    Args:
        rings: uint8 [S, S, 3] frames; every ring has as many.
        pitches: One per ring.
        caption: Shown below the head; any text.
        budget: Bytes that the page should not exceed.
    """
    pictures = _encode([frame for ring in rings for frame in ring], budget)
    count = len(rings[0])
    data = {
        "pitches": list(pitches),
        "level": min(range(len(pitches)), key=lambda index: abs(pitches[index])),
        "frames": [pictures[start : start + count] for start in range(0, len(pictures), count)],
    }
    title = html.escape(f"Head in 360 degrees: {caption}")
    values = {
        "GENERATOR": html.escape(GENERATED_BY),
        "DESCRIPTION": html.escape(f"A generated 3D head that can be turned ({caption})"),
        "TITLE": title,
        "CAPTION": html.escape(caption),
        "SIDE": str(_SIDES[0]),
        # Within a script element only "</" and "<!--" could end or change it.
        "DATA": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    }
    page = files("toolkit.export").joinpath("turntable.html").read_text(encoding="utf-8")
    head, *parts = page.split("@@")
    # Names and texts alternate, so that a value that looks like a placeholder stays what it is.
    return head + "".join(values[part] if index % 2 == 0 else part for index, part in enumerate(parts))


def _encode(frames: Sequence[np.ndarray], budget: int) -> list[str]:
    """Compress frames to base64 WebP, as well as the budget allows."""
    side = min(max(frames[0].shape[0], _SIDES[0]), _SIDES[1])
    while True:
        sized = [resized(frame, side) for frame in frames]
        for quality in _QUALITIES:
            pictures = [_webp(frame, quality) for frame in sized]
            if sum(map(len, pictures)) <= budget:
                return pictures
        if side <= _LEAST_SIDE:
            return pictures
        side = max(_LEAST_SIDE, int(side * _SHRINK))


def _webp(frame: np.ndarray, quality: int) -> str:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, format="WEBP", quality=quality, method=4)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
