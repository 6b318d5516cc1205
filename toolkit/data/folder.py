"""A data set kept as a folder or zip of square pictures with `dataset.json` (EG3D's layout).

```
dataset.json            {"labels": [["00000/front.png", [25 numbers]], ...]} or {"labels": null}
00000/front.png         pictures, named in dataset.json
masks/00000/front.png   optional, 8-bit grey, 255 = head
depth/00000/front.png   optional, 16-bit, 10000 = one world unit, 0 = none (or front.npy, [S, S] in world units)
subjects.json           optional, {"00000/front.png": {"subject": "00000", "view": "front"}, ...}
```
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.data import layout, pictures
from toolkit.data.labels import (
    Label,
    NameIndex,
    Sighting,
    checked_cameras,
    parse_labels,
    parse_subjects,
    read_json,
)
from toolkit.data.store import Store, open_store, safe_name
from toolkit.data.transforms import composite, resize, resize_item
from toolkit.errors import InputError
from toolkit.interfaces import Item

_WHITE = (1.0, 1.0, 1.0)
_Decoded = TypeVar("_Decoded")


class ImageFolder:
    """Items of a data set folder or zip, in the order of `dataset.json`; picklable, read from disk when needed."""

    def __init__(
        self,
        path: str | os.PathLike[str] | Store,
        size: int | None = None,
        camera: Camera | None = None,
        repeats: bool = False,
    ) -> None:
        """Read the labels; pictures are read later.

        Args:
            path: The folder or zip, or a store that shows another layout as one.
            size: Resize pictures, masks and depth to this side (antialiased); None keeps theirs.
            camera: What unlabelled pictures get (batch of 1); None refuses a data set without labels.
            repeats: Keep names that stand in `dataset.json` several times (a rebalanced list) as so many items.

        Raises:
            InputError: The data set is missing, malformed, empty, or a label is not a camera (named).
        """
        self.size, self._white = size, False
        self._store = open_store(path) if isinstance(path, (str, os.PathLike)) else path
        self.path = self._store.path
        names = self._store.names()
        self._files = NameIndex(names)
        labels = read_labels(self._store, names)
        if labels is None:
            self.names = [name for name in names if layout.is_image(name)]
            self.labels = _same_camera(camera, len(self.names), self.path)
        else:
            labels = labels if repeats else without_repeats(labels, self.path)
            self.names = [label.name for label in labels]
            self.labels = checked_cameras(labels) if labels else torch.zeros(0, 25)
        if not self.names:
            raise InputError(f"{self.path} holds no pictures")
        self._sightings = read_subjects(self._store, names)

    def __len__(self) -> int:
        """How many pictures the folder's labels name."""
        return len(self.names)

    def __getitem__(self, index: int) -> Item:
        """Read the item at `index`.

        Raises:
            IndexError: There are fewer items.
            InputError: A file is missing or damaged, or mask or depth are not of the picture's size.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        index %= len(self)
        name = self.names[index]
        sighting = self._sightings.get(name)
        item = Item(
            id=name,
            image=self._read(name, pictures.decode_image),
            camera=Camera(self.labels[index : index + 1].clone()),
            subject=sighting.subject if sighting else None,
            view=sighting.view if sighting else None,
            mask=self._read_if_there((layout.mask_name(name),), pictures.decode_mask),
            depth=self._read_if_there(layout.depth_names(name), pictures.decode_depth),
        )
        check_sizes(item)
        if self._white and item.mask is not None:
            item = replace(item, image=composite(item.image, item.mask, _WHITE))
        return item if self.size is None else resize_item(item, self.size)

    def on_white(self) -> ImageFolder:
        """The same items, heads on white wherever there is a mask; the masks stay."""
        white = copy.copy(self)
        white._white = True
        return white

    def as_found(self) -> ImageFolder:
        """The same items as the files have them: no head is put on white."""
        found = copy.copy(self)
        found._white = False
        return found

    def pixels(self, index: int, at_least: int) -> tuple[np.ndarray, Tensor | None]:
        """An item's pixels for a training, decoded no larger than is needed where the format can do so.

        Args:
            index: Of the item.
            at_least: Side in pixels that will be wanted; JPEG files may come out smaller than they are, but not below.

        Returns:
            uint8 [S, S, 3] as the file has it, and the mask [1, S, S] in [0, 1], if there is one.

        Raises:
            InputError: A file is missing or damaged, or the mask is of another size.
        """
        name = self.names[index]
        found = self._read(name, functools.partial(pictures.decode_pixels, at_least=at_least))
        return found, self._mask_of_side(name, found.shape[0])

    def _mask_of_side(self, name: str, side: int) -> Tensor | None:
        """A picture's mask [1, side, side], for a picture that may have been decoded smaller than it is."""
        mask = self._read_if_there((layout.mask_name(name),), pictures.decode_mask)
        if mask is not None and mask.shape[-1] != side:
            if side not in pictures.reduced_sides(mask.shape[-1]):
                raise InputError(f"{name}: its mask is {mask.shape[-1]} pixels wide, the image {side}")
            mask = resize(mask, side)
        return mask

    def only(self, indices: Sequence[int]) -> ImageFolder:
        """The items of these numbers, in this order."""
        some = copy.copy(self)
        some.names, some.labels = [self.names[index] for index in indices], self.labels[list(indices)]
        return some

    def has_mask(self, index: int) -> bool:
        """Whether an item has a mask, without reading it."""
        return self._files.find(layout.mask_name(self.names[index])) is not None

    @property
    def sightings(self) -> dict[str, Sighting]:
        """Subject and view of the items that have one, by name."""
        return {name: self._sightings[name] for name in self.names if name in self._sightings}

    def files_of(self, index: int) -> list[tuple[str, bytes]]:
        """Name and bytes of an item's picture and of its mask, depth and segments, where it has them.

        Raises:
            InputError: The picture is missing, or a file is damaged.
        """
        name = safe_name(self.names[index], self.path)
        if self._files.find(name) is None:
            raise InputError(f"{self.path}: {layout.LABELS_FILE} names {name!r}, which {self._files.missing(name)}")
        wanted = (name, layout.mask_name(name), *layout.depth_names(name), layout.segment_name(name))
        found = [(each, self._files.find(each)) for each in wanted]
        return [(each, self._store.read(file)) for each, file in found if file is not None]

    def digest(self, index: int) -> str:
        """A sha256 over the picture's file and label, and its mask's and depth's files; missing ones count as such.

        It is another one where heads are put on white.
        """
        name = self.names[index]
        facts = [name, self.labels[index].tolist(), *(["on white"] if self._white else [])]
        found = hashlib.sha256(json.dumps(facts).encode())
        for names in ((name,), (layout.mask_name(name),), layout.depth_names(name)):
            file = next((file for each in names if (file := self._files.find(each)) is not None), None)
            try:
                content = b"" if file is None else self._store.read(file)
            except InputError:
                content = b""
            found.update(hashlib.sha256(content).digest())
        return found.hexdigest()

    @property
    def cameras(self) -> Camera:
        """All cameras, in the items' order, without reading a picture."""
        return Camera(self.labels.clone())

    @property
    def subjects(self) -> list[str | None]:
        """The items' subjects, without reading a picture."""
        return [entry.subject if (entry := self._sightings.get(name)) else None for name in self.names]

    def _read(self, name: str, decode: Callable[[bytes, str], _Decoded]) -> _Decoded:
        found = self._files.find(safe_name(name, self.path))
        if found is None:
            raise InputError(f"{self.path}: {layout.LABELS_FILE} names {name!r}, which {self._files.missing(name)}")
        return decode(self._store.read(found), f"{self.path}: {found}")

    def _read_if_there(self, names: tuple[str, ...], decode: Callable[[bytes, str], Tensor]) -> Tensor | None:
        for name in names:
            if self._files.find(name) is not None:
                return self._read(name, decode)
        return None


def read_labels(store: Store, names: list[str]) -> list[Label] | None:
    """The entries of `dataset.json`; None where there are none."""
    if layout.LABELS_FILE not in names:
        return None
    return parse_labels(read_json(store, layout.LABELS_FILE, len(names)), f"{store.path}: {layout.LABELS_FILE}")


def read_subjects(store: Store, names: list[str]) -> dict[str, Sighting]:
    """The entries of `subjects.json`; empty where there is none."""
    if layout.SUBJECTS_FILE not in names:
        return {}
    return parse_subjects(read_json(store, layout.SUBJECTS_FILE, len(names)), f"{store.path}: {layout.SUBJECTS_FILE}")


def without_repeats(labels: list[Label], where: Path) -> list[Label]:
    """Keep the first entry of every name.

    Raises:
        InputError: Two entries of one name differ.
    """
    kept: dict[str, Label] = {}
    for label in labels:
        if kept.setdefault(label.name, label) != label:
            raise InputError(f"{where}: {layout.LABELS_FILE} has two different labels for {label.name}")
    return list(kept.values())


def check_sizes(item: Item) -> None:
    """Compare the sizes of an item's image, mask and depth.

    Raises:
        InputError: They differ.
    """
    side = item.image.shape[-1]
    for what, map_ in (("mask", item.mask), ("depth", item.depth)):
        if map_ is not None and map_.shape[-1] != side:
            raise InputError(f"{item.id}: its {what} is {map_.shape[-1]} pixels wide, the image {side}")


def _same_camera(camera: Camera | None, count: int, where: Path) -> Tensor:
    if count and camera is None:
        raise InputError(
            f"{where} has no camera labels ({layout.LABELS_FILE}), and no camera was given for its pictures"
        )
    return camera.expand(count).label.clone() if camera is not None and count else torch.zeros(0, 25)
