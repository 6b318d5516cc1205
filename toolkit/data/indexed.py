"""Any data set as one whose names, cameras and subjects are known without reading pictures."""

from __future__ import annotations

import bisect
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from toolkit.camera import Camera
from toolkit.data.transforms import resize_item
from toolkit.errors import InputError
from toolkit.interfaces import Dataset, IndexedDataset, Item

MOST_ITEMS = 10_000_000
"""Items of a data set that is read to find out what it holds."""


class ReadOnce:
    """A data set that offers items only; each is read once to find out what it is called and who it shows."""

    def __init__(self, dataset: Dataset, path: Path) -> None:
        """Read every item.

        Raises:
            InputError: It is empty, has two items of one id, or says that it is larger than any data set.
        """
        self.path, self._dataset = path, dataset
        if len(dataset) > MOST_ITEMS:
            raise InputError(f"{path}: {len(dataset)} items are too many to read each once (at most {MOST_ITEMS})")
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
        if len(set(self.names)) < len(self.names):
            twice = next(name for name, count in Counter(self.names).items() if count > 1)
            raise InputError(f"{path}: two items are called {twice!r}; results tell items by their ids")
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


class Some:
    """Some items of another data set."""

    def __init__(self, dataset: IndexedDataset, indices: Sequence[int]) -> None:
        """Take the items of these numbers, in this order."""
        self._dataset, self._indices = dataset, list(indices)
        self.path = dataset.path
        self.names = [dataset.names[index] for index in self._indices]
        self.subjects = [dataset.subjects[index] for index in self._indices]

    def __len__(self) -> int:
        """How many items were chosen."""
        return len(self._indices)

    def __getitem__(self, index: int) -> Item:
        """The item at `index`."""
        return self._dataset[self._indices[index]]

    @property
    def cameras(self) -> Camera:
        """All cameras, in the items' order."""
        return Camera(self._dataset.cameras.label[self._indices])

    def digest(self, index: int) -> str:
        """A sha256 over the item, as the data set behind it says."""
        return self._dataset.digest(self._indices[index])


class Joined:
    """Data sets one after the other; names and subjects begin with the name of their data set."""

    def __init__(self, datasets: Mapping[str, IndexedDataset]) -> None:
        """Join data sets by name.

        Args:
            datasets: At least one; pictures of one size.
        """
        self._datasets = list(datasets.items())
        self.path = self._datasets[0][1].path
        self._ends = list(itertools.accumulate(len(data) for _, data in self._datasets))
        self.names = [f"{title}/{name}" for title, data in self._datasets for name in data.names]
        self.subjects = [
            None if subject is None else f"{title}/{subject}"
            for title, data in self._datasets
            for subject in data.subjects
        ]

    def __len__(self) -> int:
        """How many items all parts hold together."""
        return self._ends[-1]

    def __getitem__(self, index: int) -> Item:
        """The item at `index`."""
        number, place = self._place(index)
        title, data = self._datasets[number]
        item = data[place]
        subject = None if item.subject is None else f"{title}/{item.subject}"
        return replace(item, id=f"{title}/{item.id}", subject=subject)

    @property
    def cameras(self) -> Camera:
        """All cameras, in the items' order."""
        return Camera(torch.cat([data.cameras.label for _, data in self._datasets]))

    def digest(self, index: int) -> str:
        """The item's identity in its own data set."""
        number, place = self._place(index)
        return self._datasets[number][1].digest(place)

    def _place(self, index: int) -> tuple[int, int]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        index %= len(self)
        number = bisect.bisect_right(self._ends, index)
        return number, index - (self._ends[number - 1] if number else 0)


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
