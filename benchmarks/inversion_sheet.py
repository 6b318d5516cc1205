"""Draw what methods make of wild heads and of the astronaut: input, reconstruction, front, sides and back, a row each.

Usage:
    python benchmarks/inversion_sheet.py --methods wplus pti --out sheet.png
    python benchmarks/inversion_sheet.py --methods psp:default dual-encoder --heads 4 --weights psp=psp.safetensors
    python benchmarks/inversion_sheet.py --methods encoder1 encoder2 --yaws 120 180 --zoom 2 --out behind.png

The heads are the first of heads360's wild test split, seen from three quarters; `truth` rows show them from the same
sides, which the photograph cannot.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

import toolkit
from toolkit.apps.demo import write_astronaut
from toolkit.bench.subjects.data import open_data
from toolkit.bench.subjects.inputs import pictures_by_subject
from toolkit.camera import Camera
from toolkit.data.folder import ImageFolder
from toolkit.faces.photo import prepare_photo
from toolkit.interfaces import Generator, Method
from toolkit.rendering.pixels import to_pixels, write_png
from toolkit.rendering.views import around, render_views

YAWS = (0, 60, 120, 180, -120, -60)
INPUT_VIEW = "yaw_30"
MARGIN, TITLE_HEIGHT = 4, 22


class Subject(NamedTuple):
    """One picture that is inverted."""

    name: str
    image: Tensor
    """[3, S, S]."""
    camera: Camera
    truth: list[Tensor]
    """Views from all around; empty for a photograph."""


def main() -> None:
    """Invert, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=["wplus", "pti"], help="METHOD[:PRESET] each")
    parser.add_argument("--weights", nargs="*", default=[], help="METHOD=FILE: checkpoints that do not ship")
    parser.add_argument("--heads", type=int, default=3, help="synthetic heads above the astronaut")
    parser.add_argument("--yaws", nargs="+", type=int, default=YAWS, help="sides in degrees, multiples of 30")
    parser.add_argument("--zoom", type=int, default=1, help="how many times as large pictures are drawn")
    parser.add_argument("--out", type=Path, default=Path("sheet.png"))
    arguments = parser.parse_args()
    generator = toolkit.load_generator(toolkit.DEFAULT_GENERATOR)
    files = dict(each.split("=", 1) for each in arguments.weights)
    methods = {name: opened(name, generator, files) for name in arguments.methods}
    subjects = [*synthetic(generator, arguments.heads, arguments.yaws), astronaut(generator)]
    lines: list[tuple[str, list[np.ndarray]]] = []
    for subject in subjects:
        if subject.truth:
            lines.append((f"{subject.name}: truth", list(to_pixels(torch.stack([subject.image, *subject.truth])))))
        for name, method in methods.items():
            lines.append((f"{subject.name}: {name}", row_of(subject, method, generator, arguments.yaws)))
            print(lines[-1][0], flush=True)
    larger = [(name, [enlarged(image, arguments.zoom) for image in images]) for name, images in lines]
    write_png(arguments.out, laid_out(larger, arguments.yaws), "heads inverted by toolkit")


def opened(name: str, generator: Generator, files: dict[str, str]) -> Method:
    """The method that an argument names."""
    method, _, preset = name.partition(":")
    weights = Path(files[method]) if method in files else None
    return toolkit.load_method(method, generator, weights, **({"preset": preset} if preset else {}))


def synthetic(generator: Generator, count: int, yaws: Sequence[int]) -> list[Subject]:
    """Wild heads with their truth."""
    data: ImageFolder = open_data("heads360", (), generator.spec, count)
    found = []
    for name, pictures in list(pictures_by_subject(data).items())[:count]:
        views = {Path(data.names[index]).stem: index for index in pictures}
        shown = data[views[INPUT_VIEW]]
        truth = [data[views[f"yaw_{yaw}"]].image for yaw in yaws]
        found.append(Subject(name, shown.image, shown.camera, truth))
    return found


def astronaut(generator: Generator) -> Subject:
    """The photograph."""
    with tempfile.TemporaryDirectory() as folder:
        photo = prepare_photo(write_astronaut(Path(folder) / "astronaut.png"), generator.spec)
    return Subject("astronaut", photo.image[0], photo.camera, [])


def row_of(subject: Subject, method: Method, generator: Generator, yaws: Sequence[int]) -> list[np.ndarray]:
    """Reconstruction and views around."""
    inversion = method.invert(subject.image[None], subject.camera, generator)
    turned = around(generator.spec, torch.tensor([math.radians(yaw) for yaw in yaws]))
    cameras = Camera(torch.cat([subject.camera.label, turned.label]))
    shown = inversion.tuned_generator(generator)
    views = to_pixels(render_views(shown, inversion.planes, inversion.ws, cameras).image)
    given = [] if subject.truth else [to_pixels(subject.image[None])[0]]
    return [*given, *views]


def enlarged(image: np.ndarray, times: int) -> np.ndarray:
    """A picture [H, W, 3] drawn larger."""
    side = image.shape[0] * times
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))


def laid_out(lines: list[tuple[str, list[np.ndarray]]], yaws: Sequence[int]) -> np.ndarray:
    """All rows with their names; views stand under the same view."""
    side = lines[0][1][0].shape[0]
    titles = ["input", "its view", *(f"{yaw}\N{DEGREE SIGN}" for yaw in yaws)]
    font = ImageFont.load_default(12)
    names = [name.replace(": ", "\n") for name, _ in lines]
    indent = 2 * MARGIN + math.ceil(max(font.getlength(part) for name in names for part in name.split("\n")))
    paper = Image.new("RGB", (indent + len(titles) * side, TITLE_HEIGHT + len(lines) * side), (255, 255, 255))
    draw = ImageDraw.Draw(paper)
    for column, title in enumerate(titles):
        draw.text((indent + column * side + MARGIN, MARGIN), title, fill=(60, 60, 60), font=font)
    for number, (name, images) in enumerate(lines):
        top = TITLE_HEIGHT + number * side
        draw.text((MARGIN, top + side // 2 - 14), names[number], fill=(60, 60, 60), font=font)
        columns = _columns(name, len(images), len(titles))
        for column, image in zip(columns, images, strict=True):
            paper.paste(Image.fromarray(image), (indent + column * side, top))
    return np.asarray(paper)


def _columns(name: str, images: int, columns: int) -> list[int]:
    """Truth has no reconstruction; a method's row under it, no input."""
    if name.endswith(": truth"):
        return [0, *range(2, columns)]
    return list(range(columns - images, columns))


if __name__ == "__main__":
    main()
