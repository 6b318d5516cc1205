"""How near methods come to photographs: dlib's descriptor distance from photograph to reconstruction at its own view.

Usage:
    python benchmarks/photo_distances.py --methods dual-encoder pti wplus
    python benchmarks/photo_distances.py --methods dual-encoder pti:quality --photos FOLDER --sheet sheet.png

Without a folder it takes the two photographs of the public domain that packages ship. Below 0.6 two faces are the same
person; strangers are about 0.8 apart, which the last line measures on the same photographs. Photograph and
reconstruction are compared at 512 px, the photograph cut out at that size whatever size the generator has.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from photographs import write_photographs
from PIL import Image
from torch import Tensor

import toolkit
from toolkit.data.layout import is_image
from toolkit.errors import InputError
from toolkit.faces.photo import PreparedPhoto, prepare_photo
from toolkit.files import atomic_write
from toolkit.interfaces import Generator, Method
from toolkit.rendering.pixels import to_pixels, write_png
from toolkit.rendering.views import render_views
from toolkit_plugins.photo_networks.identity import SIDE, DescriptorDistance, open_id_dlib
from toolkit_plugins.photo_networks.recogniser import SAME_PERSON


@dataclass(frozen=True)
class Line:
    """One photograph and one method."""

    photo: str
    method: str
    distance: float
    face_in_photo: bool
    face_in_reconstruction: bool
    seconds: float


def main() -> None:
    """Invert, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=["dual-encoder", "pti", "wplus"], help="METHOD[:PRESET] each")
    parser.add_argument("--weights", nargs="*", default=[], help="METHOD=FILE: checkpoints that do not ship")
    parser.add_argument("--generator", default=toolkit.DEFAULT_GENERATOR)
    parser.add_argument("--generator-weights", type=Path)
    parser.add_argument("--photos", type=Path, help="folder of photographs")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path, help="picture: each photograph, then what each method made of it")
    arguments = parser.parse_args()
    generator = toolkit.load_generator(arguments.generator, arguments.generator_weights)
    files = dict(each.split("=", 1) for each in arguments.weights)
    methods = {name: opened(name, generator, files) for name in arguments.methods}
    with tempfile.TemporaryDirectory() as folder:
        photos = write_photographs(Path(folder)) if arguments.photos is None else photos_in(arguments.photos)
        lines, rows = compared(photos, methods, generator, open_id_dlib())
    strangers = distances_between([row[0] for row in rows], open_id_dlib())
    for name in methods:
        print(summary(name, [line for line in lines if line.method == name]))
    if strangers:
        spread = f"{np.mean(strangers):.3f} ({min(strangers):.2f} to {max(strangers):.2f})"
        print(f"{'the photographs from each other':<50} {spread}")
    if arguments.json:
        with atomic_write(arguments.json) as temporary:
            found = {"between_photographs": strangers, "lines": [asdict(line) for line in lines]}
            temporary.write_text(json.dumps(found, indent=1), encoding="utf-8")
    if arguments.sheet and rows:
        write_png(arguments.sheet, sheet(rows), "photographs inverted by toolkit")


def compared(
    photos: Sequence[Path], methods: Mapping[str, Method], generator: Generator, metric: DescriptorDistance
) -> tuple[list[Line], list[list[Tensor]]]:
    """Every method on every photograph: lines, and a row of pictures each (the photograph first)."""
    lines, rows = [], []
    for photo in photos:
        both = prepared(photo, generator)
        if both is None:
            continue
        row = [both[1].image[0]]
        for name, method in methods.items():
            line, view = judged(photo.name, name, method, generator, *both, metric)
            lines.append(line)
            row.append(view)
            numbers = f"{line.distance:.3f}  {line.seconds:6.1f} s"
            print(f"{line.photo:<28} {name:<20} {numbers}  {remark(line)}", flush=True)
        rows.append(row)
    return lines, rows


def opened(name: str, generator: Generator, files: dict[str, str]) -> Method:
    """The method that an argument names."""
    method, _, preset = name.partition(":")
    weights = Path(files[method]) if method in files else None
    return toolkit.load_method(method, generator, weights, **({"preset": preset} if preset else {}))


def photos_in(folder: Path) -> list[Path]:
    """Pictures in a folder, by name."""
    found = sorted(path for path in folder.iterdir() if is_image(path.name))
    if not found:
        raise SystemExit(f"there are no pictures in {folder}")
    return found


def prepared(photo: Path, generator: Generator) -> tuple[PreparedPhoto, PreparedPhoto] | None:
    """The photograph as the method gets it, and as it is compared; None (and a line) where there is no face in it."""
    try:
        return prepare_photo(photo, generator.spec), prepare_photo(photo, replace(generator.spec, image_size=SIDE))
    except InputError as error:
        print(f"{photo.name:<28} left out: {error}", flush=True)
        return None


def judged(
    photo: str,
    name: str,
    method: Method,
    generator: Generator,
    shown: PreparedPhoto,
    target: PreparedPhoto,
    metric: DescriptorDistance,
) -> tuple[Line, Tensor]:
    """Invert and compare; the line and the reconstruction [3, S, S]."""
    began = time.perf_counter()
    inversion = method.invert(shown.image, shown.camera, generator)
    seconds = time.perf_counter() - began
    own = inversion.tuned_generator(generator)
    view = render_views(own, inversion.planes, inversion.ws, inversion.camera).image[0]
    found = metric.compare(view, target.image[0], target.camera)
    return Line(photo, name, found.distance, found.target_found, found.image_found, seconds), view


def remark(line: Line) -> str:
    """What a reader must know about a distance."""
    if not line.face_in_photo:
        return "no face found in the photograph: where the camera expects one"
    return "" if line.face_in_reconstruction else "no face found in the reconstruction: where the photograph's is"


def summary(method: str, lines: list[Line]) -> str:
    """A method in one line."""
    values = np.array([line.distance for line in lines])
    values, faceless = values[np.isfinite(values)], sum(not line.face_in_reconstruction for line in lines)
    if not len(values):
        return f"{method:<20} nothing could be compared"
    return (
        f"{method:<20} mean of {len(values):>3} photographs         {values.mean():.3f} "
        f"({values.min():.2f} to {values.max():.2f}), {np.mean(values < SAME_PERSON):.0%} below {SAME_PERSON}, "
        f"{faceless} reconstructions without a face"
    )


def distances_between(targets: Sequence[Tensor], metric: DescriptorDistance) -> list[float]:
    """Each photograph from each other one."""
    found = [metric.compare(first, second).distance for first, second in combinations(targets, 2)]
    return [each for each in found if np.isfinite(each)]


def sheet(rows: list[list[Tensor]]) -> np.ndarray:
    """Rows of pictures [3, S, S] of any size, drawn at 256 px."""
    return np.concatenate([np.concatenate([drawn(image) for image in row], 1) for row in rows], 0)


def drawn(image: Tensor, side: int = 256) -> np.ndarray:
    """A picture [3, S, S] as uint8 [side, side, 3]."""
    return np.asarray(Image.fromarray(to_pixels(image[None])[0]).resize((side, side), Image.Resampling.LANCZOS))


if __name__ == "__main__":
    main()
