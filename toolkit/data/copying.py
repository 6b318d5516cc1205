"""Some items of a data set written as a data set folder of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from toolkit.data import layout
from toolkit.data.folder import ImageFolder
from toolkit.files import atomic_folder, atomic_write, disk_errors_named
from toolkit.progress import Progress


def copy_parts(parts: Mapping[str, ImageFolder], out: Path, progress: Progress | None = None) -> None:
    """Copy parts of a data set into folders of their names in `out`: all of them appear at the end, or none.

    Args:
        parts: What to copy, by name.
        out: Where the folders lie.
        progress: Hears of every picture of each part.

    Raises:
        InputError: A picture is missing or unsafe.
        OutputError: The folder cannot be written.
    """
    with ExitStack() as stack:
        folders = {part: stack.enter_context(atomic_folder(out / part)) for part in parts}
        for part, items in parts.items():
            copy_items(items, folders[part], progress)


def copy_items(items: ImageFolder, out: Path, progress: Progress | None = None) -> None:
    """Copy pictures with their masks, depth and segments, byte by byte; the labels are written last.

    Args:
        items: What to copy.
        out: A folder; what is there of it already is written again.
        progress: Hears of every picture.

    Raises:
        InputError: A picture is missing or unsafe.
        OutputError: The folder cannot be written.
    """
    for done, index in enumerate(range(len(items)), start=1):
        for name, data in items.files_of(index):
            target = out / name
            with disk_errors_named(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
        if progress is not None:
            progress.step("copied", done, len(items))
    if items.sightings:
        _write_json(out / layout.SUBJECTS_FILE, {name: seen._asdict() for name, seen in items.sightings.items()})
    labels = [[name, label.tolist()] for name, label in zip(items.names, items.labels, strict=True)]
    _write_json(out / layout.LABELS_FILE, {"labels": labels})


def _write_json(path: Path, document: object) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(document) + "\n", encoding="utf-8")
