"""Third parties' data sets: an error in one ends in one sentence, and what is not an item is refused."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import Tensor

from toolkit.camera import Camera
from toolkit.data.folder import ImageFolder
from toolkit.errors import PluginError
from toolkit.interfaces import Dataset, IndexedDataset, Item
from toolkit.registry import Registration

_ROUNDING = 0.01
"""How far a value may be outside its range: what resizing and rounding do."""


class GuardedDataset:
    """A stranger's data set; its errors and changes are contained (see `toolkit.strangers`)."""

    def __init__(self, dataset: Dataset, made_by: Registration) -> None:
        """Guard a data set that a registered part made."""
        self._dataset, self._made_by = dataset, made_by

    def __len__(self) -> int:
        """How many items there are.

        Raises:
            PluginError: The plugin fails.
        """
        with self._made_by.running():
            return len(self._dataset)

    def __getitem__(self, index: int) -> Item:
        """The item at `index`.

        Raises:
            PluginError: The plugin fails, or gives no item.
        """
        with self._made_by.running():
            found = self._dataset[index]
        reason = _why_no_item(found)
        if reason:
            raise PluginError(f"{self._made_by.whose}: item {index} {reason}")
        return found

    def __iter__(self) -> Iterator[Item]:
        """All items, in order."""
        return (self[index] for index in range(len(self)))


class GuardedIndexedDataset(GuardedDataset):
    """The same for one that knows everything but pictures without reading one."""

    _dataset: IndexedDataset

    @property
    def path(self) -> Path:
        """Where it lies, for messages."""
        with self._made_by.running():
            return Path(self._dataset.path)

    @property
    def names(self) -> Sequence[str]:
        """The ids of all items, in the order of the index."""
        with self._made_by.running():
            return [str(name) for name in self._dataset.names]

    @property
    def cameras(self) -> Camera:
        """All cameras, in the items' order."""
        with self._made_by.running():
            return Camera.from_label(self._dataset.cameras.label.clone())

    @property
    def subjects(self) -> Sequence[str | None]:
        """The subject of each item; None where it is not known."""
        with self._made_by.running():
            return [None if subject is None else str(subject) for subject in self._dataset.subjects]

    def digest(self, index: int) -> str:
        """Identity of an item over everything that it is read from."""
        with self._made_by.running():
            return str(self._dataset.digest(index))


def guarded_dataset(opened: object, made_by: Registration) -> object:
    """What a registered data set opened; contained where it is a stranger's, and not our own `ImageFolder`."""
    if not made_by.is_strangers or isinstance(opened, ImageFolder) or not isinstance(opened, Dataset):
        return opened
    with made_by.running():
        knows_all = isinstance(opened, IndexedDataset)
    return GuardedIndexedDataset(opened, made_by) if knows_all else GuardedDataset(opened, made_by)


def _why_no_item(found: object) -> str:
    if not isinstance(found, Item):
        return f"is a {type(found).__name__}, not an Item"
    image, side = found.image, found.image.shape[-1] if isinstance(found.image, Tensor) and found.image.ndim else 0
    if not isinstance(image, Tensor) or not image.is_floating_point() or image.shape != (3, side, side) or side < 1:
        return "has no picture [3, S, S] of floating-point numbers"
    if not isinstance(found.id, str) or not found.id or not isinstance(found.camera, Camera) or len(found.camera) != 1:
        return "has no id, or no camera"
    if not all(isinstance(each, str) or each is None for each in (found.subject, found.view)):
        return "has a subject or a view that is no text"
    maps = {"mask": found.mask, "depth": found.depth}
    for name, each in maps.items():
        if each is not None and (not isinstance(each, Tensor) or each.shape != (1, side, side)):
            return f"has a {name} of another shape than [1, {side}, {side}]"
    return _why_no_values(found)


def _why_no_values(found: Item) -> str:
    ranges = (
        ("picture", found.image, -1.0, 1.0),
        ("mask", found.mask, 0.0, 1.0),
        ("depth", found.depth, 0.0, math.inf),
    )
    for name, values, low, high in ranges:
        if values is None:
            continue
        if values.requires_grad:
            return f"has a {name} that carries a gradient: give `tensor.detach()`"
        if not bool(values.isfinite().all()):
            return f"has a {name} with NaN or infinity"
        least, most = values.aminmax()
        if float(least) < low - _ROUNDING or float(most) > high + _ROUNDING:
            return f"has a {name} with values from {float(least):.3g} to {float(most):.3g}, not in [{low:g}, {high:g}]"
    return ""
