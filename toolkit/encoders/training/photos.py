"""The photos of a training, by number: held in memory where they fit, mirrored together with their cameras."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from toolkit.cache import cache_folder
from toolkit.camera import Camera
from toolkit.data import ImageFolder, layout, resize
from toolkit.data.sources import find_maker, find_source, open_source
from toolkit.encoders.training.settings import PhotoSettings
from toolkit.errors import InputError
from toolkit.interfaces import MakeRequest
from toolkit.training.distribution import main_process_first

HELD_BYTES = 2**31
"""Sets up to this size are read once and kept."""


class Photos(NamedTuple):
    """Some pictures and the cameras that saw them."""

    image: Tensor
    """[B, 3, S, S] in [-1, 1]."""
    label: Tensor
    """[B, 25]."""


class PhotoSet:
    """Pictures 0 ... N - 1, and mirrored N ... 2 N - 1, heads with masks on white; picklable."""

    def __init__(self, folders: Sequence[ImageFolder], size: int, indices: Sequence[int] | None = None) -> None:
        """Join folders.

        Args:
            folders: In order.
            size: Side to bring all pictures to.
            indices: Which of all pictures to take; None: all.
        """
        self.folders, self.size = tuple(folder.on_white() for folder in folders), size
        places = [(number, index) for number, folder in enumerate(folders) for index in range(len(folder))]
        self.places = places if indices is None else [places[index] for index in indices]
        self.labels = torch.stack([folders[number].labels[index] for number, index in self.places])
        small = len(self.places) * 3 * size**2 <= HELD_BYTES
        self._held = torch.stack([self._read(index) for index in range(len(self.places))]) if small else None

    def __len__(self) -> int:
        """Number of pictures, mirrored ones not counted."""
        return len(self.places)

    @property
    def subjects(self) -> list[str]:
        """Whose picture each is; pictures of unknown subjects stand alone."""
        known = [folder.subjects for folder in self.folders]
        return [f"{number}/{known[number][index] or index}" for number, index in self.places]

    def rows(self, indices: Sequence[int]) -> Photos:
        """The pictures of these numbers, in [0, 2 N)."""
        count = len(self)
        pixels = [self._read(index % count) if self._held is None else self._held[index % count] for index in indices]
        images = torch.stack(
            [one.flip(-1) if index >= count else one for one, index in zip(pixels, indices, strict=True)]
        )
        labels = self.labels[[index % count for index in indices]]
        flipped = torch.tensor([index >= count for index in indices])[:, None]
        return Photos(images.float() / 127.5 - 1, torch.where(flipped, Camera(labels).mirror().label, labels))

    def _read(self, index: int) -> Tensor:
        number, place = self.places[index]
        image = self.folders[number][place].image
        return ((resize(image, self.size).clamp(-1, 1) + 1) * 127.5).round().byte()


def open_photos(settings: PhotoSettings, size: int) -> tuple[PhotoSet, PhotoSet]:
    """The training's pictures, and the held-out ones; what can make itself is made where it is missing.

    Args:
        settings: Which.
        size: Side of the pictures.

    Raises:
        InputError: A source is neither a folder nor a data set that can make itself, its reader is unknown, or there
            are too few subjects to hold out from.
    """
    folders = [_open(source, settings, size, "train", settings.subjects) for source in settings.sources]
    if settings.held_out:
        held = [_open(source, settings, size, "val", settings.held_out_subjects) for source in settings.held_out]
        return PhotoSet(folders, size), PhotoSet(held, size)
    if len(settings.sources) == 1 and find_source(settings.sources[0]) is None:
        held = [_open(settings.sources[0], settings, size, "val", settings.held_out_subjects)]
        return PhotoSet(folders, size), PhotoSet(held, size)
    return _split(folders, size, settings.held_out_subjects)


def _split(folders: Sequence[ImageFolder], size: int, subjects: int) -> tuple[PhotoSet, PhotoSet]:
    """Hold out the last subjects, with all their pictures."""
    names = [f"{number}/{subject or index}" for number, folder in enumerate(folders)
             for index, subject in enumerate(folder.subjects)]  # fmt: skip
    order = list(dict.fromkeys(names))
    if len(order) <= subjects:
        raise InputError(f"the photos show {len(order)} subjects, of which {subjects} are to be held out; name others")
    last = set(order[-subjects:])
    kept = [index for index, name in enumerate(names) if name not in last]
    held = [index for index, name in enumerate(names) if name in last]
    return PhotoSet(folders, size, kept), PhotoSet(folders, size, held)


def _open(source: str, settings: PhotoSettings, size: int, split: str, subjects: int) -> ImageFolder:
    if find_source(source) is not None:
        return open_source(source)
    maker = find_maker(source, "photos.sources")
    folder = made_folder(source, settings, size, split, subjects)
    with main_process_first():
        if not (folder / layout.LABELS_FILE).is_file():
            workers = min(settings.workers, os.cpu_count() or 1)
            maker.make(
                MakeRequest(folder, subjects, split, settings.seed, settings.domain, settings.views, size, workers)
            )
    return ImageFolder(folder)


def made_folder(source: str, settings: PhotoSettings, size: int, split: str, subjects: int) -> Path:
    """Where a data set that makes itself is kept: <cache>/<source>/<domain>-<split>-<seed>-<subjects>-<size>."""
    return cache_folder(source) / f"{settings.domain}-{split}-{settings.seed}-{subjects}-{size}"
