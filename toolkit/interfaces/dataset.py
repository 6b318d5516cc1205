"""What a data set must offer, and what a procedural one offers besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from toolkit.camera import Camera

MEMBER_LIMIT = 512 * 2**20
"""Largest file of a data set that is read, in bytes."""


@dataclass(frozen=True)
class Item:
    """One picture of a head."""

    id: str
    image: Tensor
    """[3, S, S] in [-1, 1]."""
    camera: Camera
    """Batch of 1."""
    subject: str | None = None
    view: str | None = None
    mask: Tensor | None = None
    """[1, S, S] in [0, 1], 1 = head."""
    depth: Tensor | None = None
    """[1, S, S], distance along the unit ray; 0 where there is none."""


@runtime_checkable
class Dataset(Protocol):
    """A data set as torch's loaders want it: items by index, and it can be sent to other processes (pickled)."""

    def __len__(self) -> int:
        """How many items there are."""
        ...

    def __getitem__(self, index: int) -> Item:
        """The item at `index`."""
        ...


@runtime_checkable
class IndexedDataset(Dataset, Protocol):
    """Capability of a data set: everything but pictures is known without reading one.

    The benchmark asks for it; of any other data set each item is read once to find out.
    """

    @property
    def path(self) -> Path:
        """Where it lies, for messages."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """The ids of all items, in the order of the index."""
        ...

    @property
    def cameras(self) -> Camera:
        """All cameras, in the items' order."""
        ...

    @property
    def subjects(self) -> Sequence[str | None]:
        """The subject of each item; None where it is not known."""
        ...

    def digest(self, index: int) -> str:
        """Identity of an item over everything that it is read from."""
        ...


@runtime_checkable
class TrainingPictures(IndexedDataset, Protocol):
    """Capability of a data set: its pictures as a training reads them, decoded no larger than is needed.

    Trainings ask for it. Of any other data set they take the items' own pictures, which is slower.
    """

    def has_mask(self, index: int) -> bool:
        """Whether an item has a mask."""
        ...

    def pixels(self, index: int, at_least: int) -> tuple[np.ndarray, Tensor | None]:
        """An item's uint8 [S, S, 3], S not below `at_least` where the file is as large, and its mask [1, S, S], if any.

        Raises:
            InputError: It cannot be read.
        """
        ...

    def only(self, indices: Sequence[int]) -> TrainingPictures:
        """The items of these numbers, in this order."""
        ...

    def as_found(self) -> TrainingPictures:
        """The same without anything done to backgrounds."""
        ...


class Store(Protocol):
    """Named files; names are relative and use forward slashes."""

    path: Path

    def names(self) -> list[str]:
        """All file names, sorted."""
        ...

    def read(self, name: str, limit: int = MEMBER_LIMIT) -> bytes:
        """The bytes of one file.

        Args:
            name: The file.
            limit: Most bytes that are taken into memory.

        Raises:
            InputError: No such file, a name or link that leaves the store, or a file that is too large or damaged.
        """
        ...


@runtime_checkable
class WritesSample(Protocol):
    """Capability of a data set plugin: it writes pictures in its own layout; it is then checked without data."""

    def write_sample(self, folder: Path, items: Sequence[Item]) -> Path:
        """Write pictures with their cameras into an empty folder; return what the factory opens."""
        ...


@dataclass(frozen=True)
class Pinhole:
    """A calibrated camera of a rig, in the rig's own units and axes."""

    intrinsics: tuple[tuple[float, ...], ...]
    """[3, 3] in pixels of the picture; the first pixel's centre is (0, 0)."""
    cam2world: tuple[tuple[float, ...], ...]
    """[4, 4]; the camera's axes are OpenCV's (x right, y down, z forward)."""


@dataclass(frozen=True)
class Photograph:
    """A photo on disk that is to become an item of a data set."""

    path: Path
    name: str
    """Of the item, without ending; relative, with forward slashes."""
    subject: str | None = None
    view: str | None = None
    pinhole: Pinhole | None = None
    """Where the camera is known: the pictures of one subject are then aligned together, and none needs a face."""
    mask: Path | None = None
    """Of the head, in the photo's size."""


class Gathered(NamedTuple):
    """What a source of raw material holds."""

    photographs: list[Photograph]
    rejects: dict[str, str]
    """What cannot be used -> why, one sentence each."""


@runtime_checkable
class Preparable(Protocol):
    """Capability of a data set plugin: it knows its raw material, which `toolkit data prepare` turns into a folder."""

    def photographs(self, source: Path, scratch: Path) -> Gathered:
        """Find the photos of a source; what must be unpacked goes into `scratch` and is found there the next time."""
        ...


@runtime_checkable
class Readable(Protocol):
    """Capability of a data set plugin: it reads a layout of its own, and shows its files as the house's."""

    label_file: str
    """The file of labels by which its layout is known; a message about a folder that has it names the data set."""

    def store(self, path: Path) -> Store:
        """The files at `path`, named as in `toolkit.data.layout`; labels and pictures may have faults."""
        ...
