"""The photos of a training, by number: held in memory where they fit, mirrored together with their cameras."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.cores import usable_cores
from toolkit.data import ImageFolder, layout, resize
from toolkit.data.kept import kept_folder
from toolkit.data.prints import PRINT_SIZE, print_of
from toolkit.data.sources import find_maker, find_source, open_pictures
from toolkit.data.split import PARTS, indices_of
from toolkit.data.transforms import composite
from toolkit.encoders.training.readings import KeptReadings, Reading
from toolkit.encoders.training.settings import PhotoSettings
from toolkit.errors import InputError
from toolkit.interfaces import MakeRequest, TrainingPictures
from toolkit.training.distribution import main_process_first

HELD_BYTES = 2**31
"""Sets up to this size are read once and kept."""
TRIES = 100
"""Unreadable pictures in a row after which a training ends: then it is not the pictures' fault."""
_WHITE = (1.0, 1.0, 1.0)
_NAMED = 5
"""Most names in a sentence."""


class Photos(NamedTuple):
    """Some pictures and the cameras that saw them."""

    image: Tensor
    """[B, 3, S, S] in [-1, 1]; as uint8 on the way to the device."""
    label: Tensor
    """[B, 25]."""

    def as_numbers(self) -> Photos:
        """The same with pictures in [-1, 1]."""
        return self if self.image.is_floating_point() else self._replace(image=self.image.float() / 127.5 - 1)


class Sightings(NamedTuple):
    """Which pictures a batch has shown, and which it would have shown."""

    places: Tensor
    """[B] numbers of pictures, mirrored ones not told apart."""
    prints: Tensor
    """[B, 2, 64] uint8 (see `toolkit.data.prints`): as the file has it, and as it is learnt from."""
    unreadable: tuple[tuple[str, str], ...] = ()
    """Name and reason."""


class PhotoSet:
    """Pictures 0 ... N - 1, and mirrored N ... 2 N - 1, heads with masks on white; picklable."""

    def __init__(self, folders: Sequence[TrainingPictures], size: int, indices: Sequence[int] | None = None) -> None:
        """Join folders.

        Args:
            folders: In order.
            size: Side to bring all pictures to.
            indices: Which of all pictures to take; None: all.
        """
        self.folders, self.size = tuple(folder.as_found() for folder in folders), size
        places = [(number, index) for number, folder in enumerate(folders) for index in range(len(folder))]
        self.places = places if indices is None else [places[index] for index in indices]
        labels = [folder.cameras.label for folder in folders]
        self.labels = torch.stack([labels[number][index] for number, index in self.places])
        small = len(self.places) * 3 * size**2 <= HELD_BYTES
        self._held = KeptReadings(self._read, len(self.places), size) if small else None

    def __len__(self) -> int:
        """Number of pictures, mirrored ones not counted."""
        return len(self.places)

    @property
    def read_from_disk(self) -> bool:
        """Whether pictures are decoded again whenever they are drawn."""
        return self._held is None

    @property
    def subjects(self) -> list[str]:
        """Whose picture each is; pictures of unknown subjects stand alone."""
        known = [folder.subjects for folder in self.folders]
        return [f"{number}/{known[number][index] or index}" for number, index in self.places]

    @functools.cached_property
    def same_subject(self) -> list[list[int]]:
        """Of each picture the other pictures of its subject; itself where there is no other."""
        by_subject: dict[str, list[int]] = {}
        subjects = self.subjects
        for index, subject in enumerate(subjects):
            by_subject.setdefault(subject, []).append(index)
        return [
            [other for other in by_subject[subject] if other != index] or [index]
            for index, subject in enumerate(subjects)
        ]

    def name(self, index: int) -> str:
        """Data set and name of a picture."""
        number, place = self.places[index]
        return f"{self.folders[number].path}: {self.folders[number].names[place]}"

    def without_mask(self) -> list[int]:
        """The pictures that have no mask; none is read."""
        return [index for index, (number, place) in enumerate(self.places) if not self.folders[number].has_mask(place)]

    def rows(self, indices: Sequence[int]) -> Photos:
        """The pictures of these numbers, in [0, 2 N); see `draw`."""
        return self.draw(indices)[0].as_numbers()

    def draw(self, indices: Sequence[int]) -> tuple[Photos, Sightings]:
        """The pictures of these numbers, in [0, 2 N), as uint8; in the place of an unreadable one stands the next.

        Raises:
            InputError: `TRIES` pictures in a row, or all that there are, cannot be read.
        """
        count, found, labels, numbers = len(self), [], [], []
        unreadable: list[tuple[str, str]] = []
        for index in indices:
            place, reading = self._readable(index % count, unreadable)
            mirrored = index >= count
            label = self.labels[place : place + 1]
            found.append(reading._replace(pixels=reading.pixels.flip(-1)) if mirrored else reading)
            labels.append(Camera(label).mirror().label if mirrored else label)
            numbers.append(place)
        photos = Photos(torch.stack([one.pixels for one in found]), torch.cat(labels))
        prints = torch.stack([one.prints for one in found])
        return photos, Sightings(torch.tensor(numbers), prints, tuple(unreadable))

    def _readable(self, index: int, unreadable: list[tuple[str, str]]) -> tuple[int, Reading]:
        tries = min(TRIES, len(self))
        reason = ""
        for offset in range(tries):
            place = (index + offset) % len(self)
            found = self._read(place) if self._held is None else self._held[place]
            if isinstance(found, Reading):
                return place, found
            unreadable.append((self.name(place), found))
            reason = found
        raise InputError(f"{tries} pictures in a row cannot be read, the last one: {reason}")

    def _read(self, index: int) -> Reading | str:
        """A picture, or why it cannot be read."""
        number, place = self.places[index]
        try:
            pixels, mask = self.folders[number].pixels(place, self.size)
        except InputError as error:
            return str(error)
        found = torch.from_numpy(pixels).permute(2, 0, 1)
        as_found = found.float() / 127.5 - 1
        learnt = as_found if mask is None else composite(as_found, mask, _WHITE)
        if found.shape[-1] == self.size and mask is None:
            bytes_ = found.contiguous()
        else:
            bytes_ = ((resize(learnt, self.size).clamp(-1, 1) + 1) * 127.5).round().byte()
        first = print_of(as_found[None])
        return Reading(bytes_, torch.cat([first, first if mask is None else print_of(learnt[None])]))


def open_photos(settings: PhotoSettings, size: int) -> tuple[PhotoSet, PhotoSet]:
    """The training's pictures, and the held-out ones; what can make itself is made where it is missing.

    Args:
        settings: Which.
        size: Side of the pictures.

    Raises:
        InputError: A source is neither a folder nor a data set that can make itself, its reader is unknown, masks are
            required and missing, or there are too few subjects to hold out from.
    """
    training, held_out = _opened(settings, size)
    if settings.masks == "required":
        for photos in (training, held_out):
            refuse_missing_masks(photos)
    return training, held_out


def refuse_missing_masks(photos: PhotoSet) -> None:
    """Refuse pictures whose background cannot be removed, before any training.

    Raises:
        InputError: Some have no mask; says how many, names the first ones, and what to do.
    """
    missing = photos.without_mask()
    if missing:
        names = ", ".join(photos.name(index) for index in missing[:_NAMED])
        raise InputError(
            f"{len(missing)} of {len(photos)} photos have no mask, and the recipe removes backgrounds ({names}"
            f"{', ...' if len(missing) > _NAMED else ''}); put masks beside them (docs/data.md), or set "
            "photos.masks=optional to learn from them as they are"
        )


def describe(photos: PhotoSet, mirror: bool) -> str:
    """How many pictures there are, in a sentence; none is read."""
    masked = len(photos) - len(photos.without_mask())
    doubled = f", {2 * len(photos):,} with their mirror images" if mirror else ""
    people = len(set(photos.subjects))
    of_people = f" of {people:,} subjects" if people < len(photos) else ""
    return f"{len(photos):,} photos{of_people}{doubled}; {masked:,} with a mask, put on white"


def numbers_of(photos: PhotoSet) -> dict[str, int]:
    """The same for run.json."""
    return {
        "pictures": len(photos),
        "with_mask": len(photos) - len(photos.without_mask()),
        "subjects": len(set(photos.subjects)),
    }


def no_prints() -> Tensor:
    """An empty table of prints."""
    return torch.zeros(0, PRINT_SIZE, dtype=torch.uint8)


def _opened(settings: PhotoSettings, size: int) -> tuple[PhotoSet, PhotoSet]:
    folders = [_open(source, settings, size, "train", settings.subjects) for source in settings.sources]
    if settings.held_out:
        held = [_open(source, settings, size, "val", settings.held_out_subjects) for source in settings.held_out]
        return PhotoSet(folders, size), PhotoSet(held, size)
    if len(settings.sources) == 1 and find_source(settings.sources[0]) is None:
        held = [_open(settings.sources[0], settings, size, "val", settings.held_out_subjects)]
        return PhotoSet(folders, size), PhotoSet(held, size)
    if settings.split == "rule":
        return _by_rule(folders, size)
    return _split(folders, size, settings.held_out_subjects)


def _by_rule(folders: Sequence[TrainingPictures], size: int) -> tuple[PhotoSet, PhotoSet]:
    """Learn from the part `train` of every source, and hold out the part `val`."""
    train, val = ([folder.only(indices_of(folder, part)) for folder in folders] for part in PARTS)
    for part, these, remedy in zip(PARTS, (train, val), ("more photos.sources", "photos.held_out"), strict=True):
        if not sum(map(len, these)):
            raise InputError(f"none of the {sum(map(len, folders))} photos is in the part {part!r}; name {remedy}")
    return PhotoSet(train, size), PhotoSet(val, size)


def _split(folders: Sequence[TrainingPictures], size: int, subjects: int) -> tuple[PhotoSet, PhotoSet]:
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


def _open(source: str, settings: PhotoSettings, size: int, split: str, subjects: int) -> TrainingPictures:
    if find_source(source) is not None:
        return open_pictures(source)
    maker = find_maker(source, "photos.sources")
    folder = kept_folder(source, maker, made_name(settings, size, split, subjects))
    with main_process_first():
        if not (folder / layout.LABELS_FILE).is_file():
            workers = min(settings.workers, usable_cores())
            maker.make(
                MakeRequest(folder, subjects, split, settings.seed, settings.domain, settings.views, size, workers)
            )
    return ImageFolder(folder)


def made_name(settings: PhotoSettings, size: int, split: str, subjects: int) -> str:
    """The name of the folder of a data set that makes itself: <domain>-<split>-<seed>-<subjects>-<size>."""
    return f"{settings.domain}-{split}-{settings.seed}-{subjects}-{size}"
