"""Checking a data set folder: every fault is named, and none stops the check."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor

from toolkit.camera import Camera
from toolkit.camera_faults import camera_faults
from toolkit.data import layout, pictures
from toolkit.data.folder import read_subjects
from toolkit.data.labels import NameIndex, parse_entry, parse_labels, read_json
from toolkit.data.store import Store, open_store, safe_name
from toolkit.errors import InputError
from toolkit.faces.agreement import face_disagreement
from toolkit.faces.images import tensor_to_image
from toolkit.progress import Progress

FACES = 24
"""In how many pictures a face is looked for."""
SMALLEST_FACE_PICTURE = 48
"""Side in pixels below which a detector sees no face."""


class Fault(NamedTuple):
    """One thing that is wrong with one file."""

    name: str
    problem: str


@dataclass
class FolderReport:
    """What a data set holds, and every fault that `check_folder` found in it."""

    items: int = 0
    labelled: int = 0
    masks: int = 0
    depths: int = 0
    subjects: int = 0
    faces_compared: int = 0
    """Pictures in which a face was looked for and held against the label."""
    sizes: dict[int, int] = field(default_factory=dict)
    """Side in pixels -> number of pictures."""
    faults: list[Fault] = field(default_factory=list)

    def blame(self, name: str, problem: str | InputError) -> None:
        """Note a fault of one file; `name` is the file's."""
        self.faults.append(Fault(name, str(problem).removeprefix(name).removeprefix(":").lstrip()))


def check_folder(
    path: str | os.PathLike[str] | Store, progress: Progress | None = None, faces: int = FACES
) -> FolderReport:
    """Read every file of a data set folder or zip and list what is wrong.

    Args:
        path: The folder or zip, or a store that shows another layout as one.
        progress: Hears of every picture.
        faces: In how many pictures, spread over the data set, a face is detected and compared with the label.

    Raises:
        InputError: There is no data set at `path`, or nothing in it can be addressed at all.
    """
    store = open_store(path) if isinstance(path, (str, os.PathLike)) else path
    report = FolderReport()
    files = store.names()
    index = NameIndex(files)
    images = {name for name in files if layout.is_image(name)}
    labels = _check_labels(store, files, report)
    listed = None if labels is None else list(labels)
    names = sorted(images) if listed is None else listed
    report.items = len(names)
    if not names:
        report.blame(layout.LABELS_FILE, "there are no pictures")
    for done, name in enumerate(names):
        _check_item(store, index, name, report)
        if progress is not None:
            progress.step("checked", done + 1, len(names))
    if labels is not None and listed is not None:
        _check_faces(store, index, labels, faces, report)
        for name in sorted(images - {index.find(name) for name in listed}):
            report.blame(name, f"not in {layout.LABELS_FILE}")
    _check_subjects(store, files, set(names), report)
    return report


def _check_labels(store: Store, files: list[str], report: FolderReport) -> dict[str, tuple[float, ...]] | None:
    """Names and numbers of the labels, faults included; None where there are none."""
    if layout.LABELS_FILE not in files:
        report.blame(layout.LABELS_FILE, "missing: the pictures have no cameras")
        return None
    try:
        document = read_json(store, layout.LABELS_FILE, len(files))
        entries = document.get("labels") if isinstance(document, dict) else None
        if not isinstance(entries, list):
            parse_labels(document, layout.LABELS_FILE)
            return None
    except InputError as error:
        report.blame(layout.LABELS_FILE, error)
        return None
    seen: dict[str, tuple[float, ...]] = {}
    for position, entry in enumerate(entries):
        _check_entry(store, position, entry, seen, report)
    report.labelled = len(seen)
    names = list(seen)
    for index, fault in camera_faults(list(seen.values())).items():
        report.blame(names[index], fault)
    return seen


def _check_entry(
    store: Store, position: int, entry: Any, seen: dict[str, tuple[float, ...]], report: FolderReport
) -> None:
    try:
        label = parse_entry(entry, f"entry {position}")
        safe_name(label.name, store.path)
    except InputError as error:
        report.blame(layout.LABELS_FILE, error)
        return
    if seen.setdefault(label.name, label.numbers) != label.numbers:
        report.blame(label.name, f"two different labels in {layout.LABELS_FILE}")


def _check_faces(
    store: Store, index: NameIndex, labels: dict[str, tuple[float, ...]], count: int, report: FolderReport
) -> None:
    """Hold the faces of some sound pictures, spread over the data set, against their labels."""
    blamed = {fault.name for fault in report.faults}
    sound = [name for name in labels if name not in blamed and index.find(name) is not None]
    for position in range(min(count, len(sound))):
        name = sound[position * len(sound) // min(count, len(sound))]
        image = pictures.decode_image(store.read(index.find(name) or name), name)
        if image.shape[-1] < SMALLEST_FACE_PICTURE:
            continue
        report.faces_compared += 1
        fault = face_disagreement(tensor_to_image(image), Camera.from_label(labels[name]))
        if fault is not None:
            report.blame(name, fault)


def _check_item(store: Store, index: NameIndex, name: str, report: FolderReport) -> None:
    found = index.find(name)
    if found is None:
        report.blame(name, f"named in {layout.LABELS_FILE}, but {index.missing(name)}")
        return
    image = _decode(store, found, pictures.decode_image, report)
    if image is None:
        return
    side = image.shape[-1]
    report.sizes[side] = report.sizes.get(side, 0) + 1
    report.masks += _check_map(store, index, (layout.mask_name(name),), pictures.decode_mask, side, report)
    report.depths += _check_map(store, index, layout.depth_names(name), pictures.decode_depth, side, report)


def _check_map(
    store: Store,
    index: NameIndex,
    names: tuple[str, ...],
    decode: Callable[[bytes, str], Tensor],
    side: int,
    report: FolderReport,
) -> bool:
    found = next((found for name in names if (found := index.find(name)) is not None), None)
    values = None if found is None else _decode(store, found, decode, report)
    if values is None or found is None:
        return False
    if values.shape[-1] != side:
        report.blame(found, f"{values.shape[-1]} pixels wide, its picture {side}")
    return True


def _decode(store: Store, name: str, decode: Callable[[bytes, str], Tensor], report: FolderReport) -> Tensor | None:
    try:
        return decode(store.read(name), name)
    except InputError as error:
        report.blame(name, error)
        return None


def _check_subjects(store: Store, files: list[str], names: set[str], report: FolderReport) -> None:
    try:
        sightings = read_subjects(store, files)
    except InputError as error:
        report.blame(layout.SUBJECTS_FILE, error)
        return
    report.subjects = len({entry.subject for entry in sightings.values()})
    for name in sorted(sightings.keys() - names):
        report.blame(layout.SUBJECTS_FILE, f"names {name}, which is not a picture of the data set")
    if sightings:
        for name in sorted(names - sightings.keys()):
            report.blame(layout.SUBJECTS_FILE, f"does not name {name}")
