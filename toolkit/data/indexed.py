"""Any data set as one whose names, cameras and subjects are known without reading pictures."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch

from toolkit.camera import Camera
from toolkit.data.transforms import resize_item
from toolkit.errors import InputError
from toolkit.interfaces import Dataset, IndexedDataset, Item


class ReadOnce:
    """A data set that offers items only; each is read once to find out what it is called and who it shows."""

    def __init__(self, dataset: Dataset, path: Path) -> None:
        """Read every item.

        Raises:
            InputError: It is empty.
        """
        self.path, self._dataset = path, dataset
        self.names: list[str] = []
        self.subjects: list[str | None] = []
        self._digests: list[str] = []
        labels = []
        for index in range(len(dataset)):
            item = dataset[index]
            self.names.append(item.id)
            self.subjects.append(item.subject)
            self._digests.append(_digest(item))
            labels.append(item.camera.label)
        if not labels:
            raise InputError(f"{path} holds no pictures")
        self._labels = torch.cat(labels)

    def __len__(self) -> int:
        """How many items the data set holds."""
        return len(self.names)

    def __getitem__(self, index: int) -> Item:
        """The item at `index`."""
        return self._dataset[index]

    @property
    def cameras(self) -> Camera:
        """All cameras, in the items' order."""
        return Camera(self._labels.clone())

    def digest(self, index: int) -> str:
        """A sha256 over the item's tensors and camera."""
        return self._digests[index]


class Resized:
    """The same items, all of one size."""

    def __init__(self, dataset: IndexedDataset, size: int) -> None:
        """Resize pictures, masks and depth to `size` pixels where they are not of that side."""
        self._dataset, self._size = dataset, size
        self.path, self.names, self.subjects = dataset.path, dataset.names, dataset.subjects

    def __len__(self) -> int:
        """How many items the resized data set holds: as many as the data set behind it."""
        return len(self._dataset)

    def __getitem__(self, index: int) -> Item:
        """The item at `index`."""
        item = self._dataset[index]
        return item if item.image.shape[-1] == self._size else resize_item(item, self._size)

    @property
    def cameras(self) -> Camera:
        """All cameras, in the items' order."""
        return self._dataset.cameras

    def digest(self, index: int) -> str:
        """The item's identity before it is resized."""
        return self._dataset.digest(index)


def indexed(dataset: Dataset, path: Path, size: int | None = None) -> IndexedDataset:
    """A data set as the benchmark wants it.

    Args:
        dataset: Any.
        path: Where it lies, for messages.
        size: Side in pixels of its items; None: as they are. Data sets that offer the capability resize by themselves.

    Raises:
        InputError: It is empty.
    """
    if isinstance(dataset, IndexedDataset):
        return dataset
    known = ReadOnce(dataset, path)
    return known if size is None else Resized(known, size)


def _digest(item: Item) -> str:
    found = hashlib.sha256(json.dumps([item.id, item.camera.label.flatten().tolist()]).encode())
    for tensor in (item.image, item.mask, item.depth):
        found.update(b"" if tensor is None else tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
