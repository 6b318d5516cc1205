"""Views from wanted cameras, listed as the benchmark reads renders that were made elsewhere (`renders.json`)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch

from toolkit.camera import LABEL_SIZE, Camera
from toolkit.documents import read_document
from toolkit.errors import InputError
from toolkit.export.products import describe, to_pixels, write_png
from toolkit.files import atomic_write
from toolkit.interfaces import Generator
from toolkit.inversion import Inversion
from toolkit.rendering.views import OnView, iterate_views

RENDERS_FILE = "renders.json"
_STEM = 200
"""Letters of a picture's name that a render's name has."""
FILE_LIMIT = 64 * 2**20
"""Bytes of a list of wanted cameras."""


def read_wanted(path: Path, source: str | None = None) -> list[tuple[str, list[float]]]:
    """Input picture and camera label of every wanted render.

    Args:
        path: A run's `wanted.json` ({"renders": [[input, [25 numbers]], ...]}), or a list of 25 numbers each.
        source: Only those of this input picture; also what a plain list of cameras belongs to.

    Raises:
        InputError: The file is missing, too large or of another form, or wants nothing of this picture.
    """
    try:
        if path.stat().st_size > FILE_LIMIT:
            raise InputError(f"{path} is larger than {FILE_LIMIT // 2**20} MiB")
        document = read_document(path)
        entries = document["renders"] if isinstance(document, dict) else [[source or "", each] for each in document]
        found = [(str(entry[0]), [float(number) for number in entry[-1]]) for entry in entries]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"{path} is no list of wanted cameras: {' '.join(str(error).split())}") from error
    found = [(name, label) for name, label in found if source is None or name == source]
    if not found:
        raise InputError(f"{path} wants no render{f' of {source}' if source else ''}")
    if any(len(label) != LABEL_SIZE for _, label in found):
        raise InputError(f"{path}: a camera must have {LABEL_SIZE} numbers")
    return found


def write_wanted(
    folder: Path,
    inversion: Inversion,
    generator: Generator,
    wanted: list[tuple[str, list[float]]],
    on_view: OnView | None = None,
) -> list[Path]:
    """Write one PNG per wanted camera and `renders.json`, which is added to where it is there already.

    Args:
        folder: Made when missing.
        inversion: Whose head is shown.
        generator: Its generator.
        wanted: Input picture and camera label of each.
        on_view: Told how many are rendered.

    Raises:
        InputError: A camera is none, or the folder's `renders.json` is of another method.
        OutputError: The folder cannot be written.
    """
    cameras = Camera(torch.tensor([label for _, label in wanted], dtype=torch.float32)).checked("a wanted camera")
    shown = inversion.tuned_generator(generator)
    kept = _kept(folder / RENDERS_FILE, inversion.method)
    files: list[Path] = []
    entries: list[list[Any]] = []
    for part in iterate_views(shown, inversion.planes, inversion.ws, cameras, on_view=on_view):
        for pixels in to_pixels(part.image):
            source, label = wanted[len(files)]
            stem = re.sub(r"[^A-Za-z0-9_+-]+", "_", str(Path(source).with_suffix(""))) if source else "view"
            stem = stem[:_STEM]
            name = f"{stem}-{len(kept) + len(files):04d}.png"
            files.append(write_png(folder / name, pixels, describe(inversion)))
            entries.append([source, name, label])
    with atomic_write(folder / RENDERS_FILE) as path:
        path.write_text(json.dumps({"method": inversion.method, "renders": kept + entries}), encoding="utf-8")
    return [*files, folder / RENDERS_FILE]


def _kept(path: Path, method: str) -> list[Any]:
    """The entries that an earlier call wrote."""
    if not path.exists():
        return []
    try:
        document = read_document(path)
        kept, theirs = list(document["renders"]), document["method"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no list of renders; choose another --out") from error
    if theirs != method:
        raise InputError(f"{path} holds renders of {theirs!r}, this inversion is of {method!r}; choose another --out")
    return kept
