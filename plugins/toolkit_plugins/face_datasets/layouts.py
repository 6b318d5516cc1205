"""Published layouts, shown to `toolkit.data.ImageFolder` as the house's own.

| found | what it is |
| --- | --- |
| `dataset.json` | EG3D, PanoHead; `fnames` in it renames pictures, in PanoHead's zips |
| `label.json` | GOAE: names end in png where files end in jpg |
| `camera_parameters.json` | LPFF: {id: 25 numbers}, ids without ending |
| `X_seg.zip` beside `X.zip` or `X_img.zip` (or folders) | PanoHead's soft masks, named as the pictures, any ending |
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from toolkit.data import ImageFolder, layout
from toolkit.data.labels import read_json
from toolkit.data.store import MEMBER_LIMIT, Store, open_store
from toolkit.errors import InputError
from toolkit.interfaces import Item
from toolkit.pictures import SUFFIXES
from toolkit.rendering.pixels import to_pixels, write_png

LABEL_FILES = (layout.LABELS_FILE, "label.json", "camera_parameters.json")
MASKS_ENDING, PICTURES_ENDING = "_seg", "_img"


def open_faces(path: str | os.PathLike[str], size: int | None = None) -> ImageFolder:
    """Open a folder or zip of labelled face crops; heads are put on white where masks stand beside them.

    Args:
        path: The folder or zip.
        size: Resize to this side; None keeps the files'.

    Raises:
        InputError: The data set is missing, has no labels, or one of them is not a camera (named).
    """
    store = FaceStore(open_store(path))
    faces = ImageFolder(store, size)
    return faces.on_white() if store.masked else faces


class Faces:
    """The registered data sets: calling one opens it, `store` shows its files, faults included."""

    label_file = "label.json"

    def __new__(cls, path: str | os.PathLike[str], size: int | None = None) -> ImageFolder:  # type: ignore[misc]  # a factory by contract
        """Open a folder or zip (see `open_faces`)."""
        return open_faces(path, size)

    @staticmethod
    def store(path: Path) -> FaceStore:
        """The files of a folder or zip (see `FaceStore`)."""
        return FaceStore(open_store(path))

    @classmethod
    def write_sample(cls, folder: Path, items: Sequence[Item]) -> Path:
        """Write pictures and a list of their labels: `toolkit plugins check` reads them again."""
        labels = write_pictures(folder, items)
        (folder / cls.label_file).write_text(json.dumps({"labels": [*labels.items()]}), encoding="utf-8")
        return folder


class Lpff(Faces):
    """The same, known by LPFF's labels."""

    label_file = "camera_parameters.json"

    @classmethod
    def write_sample(cls, folder: Path, items: Sequence[Item]) -> Path:
        """Write pictures, and their cameras by names without endings."""
        labels = {_stem(name): label for name, label in write_pictures(folder, items).items()}
        (folder / cls.label_file).write_text(json.dumps(labels), encoding="utf-8")
        return folder


def write_pictures(folder: Path, items: Sequence[Item]) -> dict[str, list[float]]:
    """Write the pictures of items under their ids into a folder; their labels by name."""
    for item in items:
        (folder / item.id).parent.mkdir(parents=True, exist_ok=True)
        write_png(folder / item.id, to_pixels(item.image[None])[0])
    return {item.id: item.camera.label[0].tolist() for item in items}


class FaceStore:
    """A store whose labels and masks stand where `toolkit.data.layout` says; picklable where the store below is."""

    def __init__(self, store: Store) -> None:
        """Find the labels, and the masks beside the data set.

        Raises:
            InputError: There is no file of labels, or it has another form.
        """
        self.path = store.path
        self._store = store
        names = store.names()
        self._pictures = {_stem(name): name for name in names if layout.is_image(name)}
        self._labels = self._standard_labels(names)
        self._masks, self._mask_names = _masks_beside(store.path, self._pictures.values())

    @property
    def masked(self) -> bool:
        """Whether masks of its pictures stand beside the data set."""
        return bool(self._mask_names)

    def names(self) -> list[str]:
        """All file names, sorted; the labels under their standard name."""
        return sorted({*self._store.names(), *self._mask_names, layout.LABELS_FILE})

    def read(self, name: str, limit: int = MEMBER_LIMIT) -> bytes:
        """The bytes of one file (see `Store.read`)."""
        if name == layout.LABELS_FILE:
            return self._labels
        if self._masks is not None and name in self._mask_names:
            return self._masks.read(self._mask_names[name], limit)
        return self._store.read(name, limit)

    def _standard_labels(self, names: Iterable[str]) -> bytes:
        present = set(names)
        file = next((name for name in LABEL_FILES if name in present), None)
        if file is None:
            raise InputError(f"{self.path} has no labels; one of {', '.join(LABEL_FILES)} is needed")
        where = f"{self.path}: {file}"
        document = read_json(self._store, file, len(present))
        if not isinstance(document, dict):
            raise InputError(f"{where} must hold an object")
        entries: Any = document.get("labels", document)
        if entries is None:
            raise InputError(f"{where} says that there are no labels")
        renamed = document.get("fnames")
        new_names = dict(renamed) if isinstance(renamed, (dict, list)) and _is_pairs(renamed) else {}
        pairs = list(entries.items()) if isinstance(entries, dict) else entries
        if not isinstance(pairs, list):
            raise InputError(f"{where} must hold a list or an object of labels")
        return json.dumps({"labels": [self._found(pair, new_names) for pair in pairs]}).encode()

    def _found(self, pair: Any, new_names: dict[str, str]) -> Any:
        """An entry under the name of its picture; one that has none keeps its own, and is named when it is read."""
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not isinstance(pair[0], str):
            return pair
        for name in (pair[0], new_names.get(pair[0])):
            if name is not None and _stem(name) in self._pictures:
                return [self._pictures[_stem(name)], pair[1]]
        return list(pair)


def _masks_beside(path: Path, pictures: Iterable[str]) -> tuple[Store | None, dict[str, str]]:
    """The store of masks that belongs to a data set, and which of its files is which picture's mask."""
    stems = dict.fromkeys((path.stem, path.stem.removesuffix(PICTURES_ENDING)))
    places = [path.with_name(f"{stem}{MASKS_ENDING}{path.suffix}") for stem in stems]
    place = next((place for place in places if place.exists()), None)
    if place is None:
        return None, {}
    store = open_store(place)
    files = {_stem(name): name for name in store.names() if layout.is_image(name)}
    found = {layout.mask_name(name): files[_stem(name)] for name in pictures if _stem(name) in files}
    return store, found


def _is_pairs(renamed: Any) -> bool:
    items = renamed.items() if isinstance(renamed, dict) else renamed
    return all(
        isinstance(item, (list, tuple)) and len(item) == 2 and all(isinstance(one, str) for one in item)
        for item in items
    )


def _stem(name: str) -> str:
    """A name without its ending: img.7 and img.7.png are told apart by known endings only."""
    pure = PurePosixPath(name)
    return str(pure.with_suffix("")) if pure.suffix.lower() in SUFFIXES else str(pure)
