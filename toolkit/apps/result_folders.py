"""The folder of each photo's inversion: named after the photo, the same in whatever order photos are given."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from toolkit.inversion import provenance_of

LONGEST = 255
"""Bytes that a file system allows a name."""
_LETTERS = 10


def result_folders(photos: Sequence[Path], out: Path) -> list[Path]:
    """One folder per photo, named after it.

    Photos of one name get longer names, all of them: with the ending, else with the folder above, else with a digest of
    the whole path. Names that differ in case or in how accents are encoded count as one, because some disks say so.
    A photo that already has a folder in `out` keeps it, and a name that another photo's inversion has there is not
    taken from it.

    Args:
        photos: Photo files, none given twice.
        out: Where the folders lie.

    Returns:
        A folder per photo, no two alike. They do not depend on the order, and on what is in `out` only where a photo
        has its inversion there, or another photo has the name.
    """
    given = {_digest(os.path.abspath(photo)) for photo in photos}
    # as if nothing was there: a run that was interrupted goes on with the same names
    first = _told_apart([_candidates(photo) for photo in photos])
    choices = [_free_names(photo, out, given, level) for photo, level in zip(photos, first, strict=True)]
    chosen = _told_apart(choices)
    return [out / names[level] for names, level in zip(choices, chosen, strict=True)]


def _told_apart(choices: Sequence[Sequence[str]]) -> list[int]:
    """Which of its names each photo takes, so that no two are alike: the shortest that does, in whatever order."""
    chosen = [0] * len(choices)
    while True:
        names = [each[level] for each, level in zip(choices, chosen, strict=True)]
        taken = Counter(map(_on_any_disk, names))
        longer = [
            index
            for index, name in enumerate(names)
            if taken[_on_any_disk(name)] > 1 and chosen[index] + 1 < len(choices[index])
        ]
        if not longer:
            return chosen
        for index in longer:
            chosen[index] += 1


def sources(photo: Path, out: Path) -> list[str]:
    """Digests by which an inversion knows its photo again: of the path, and of the way from `out`.

    Either is enough, so that results are found again after the photos, or both together, were moved.
    """
    place = os.path.abspath(photo)
    return [_digest(place), _digest(os.path.relpath(place, os.path.abspath(out)))]


def distinct(photos: Sequence[Path]) -> list[Path]:
    """The photos without those that were given before."""
    first: dict[str, Path] = {}
    for photo in photos:
        first.setdefault(os.path.abspath(photo), photo)
    return list(first.values())


def _candidates(photo: Path) -> list[str]:
    place = os.path.abspath(photo)
    stem, parent = _usable(photo.stem), _usable(Path(place).parent.name)
    return [*_short_names(photo), _shortened(f"{parent}-{stem}"), _shortened(stem, f"-{_digest(place)}")]


def _short_names(photo: Path) -> list[str]:
    stem = _usable(photo.stem)
    return [_shortened(stem), *([_shortened(stem, f"-{photo.suffix[1:]}")] if photo.suffix[1:] else [])]


def _free_names(photo: Path, out: Path, given: set[str], level: int) -> list[str]:
    """The name of the photo's own folder where it has one; else the names that no other photo's inversion has.

    Args:
        photo: A photo.
        out: Where the folders lie.
        given: Digests of the paths of all photos of this run.
        level: The first of its names that tells it from the other photos of this run.
    """
    names, taken = _candidates(photo), set[str]()
    place, way = sources(photo, out)
    for name in names:
        about = provenance_of(out / name) or {}
        match about.get("source"):
            case [str(of_place), str(of_way)]:
                if of_place == place or (of_way == way and of_place not in given):
                    return [name]
                # an ending that both photos have does not tell them apart
                taken.update(map(_on_any_disk, (name, *_short_names(Path(str(about.get("input")))))))
            case _:  # nothing there, or nothing that says whose it is: `invert` looks closer before it writes
                pass
    return [name for name in names[level:-1] if _on_any_disk(name) not in taken] + names[-1:]


def _digest(path: str) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:_LETTERS]


def _usable(stem: str) -> str:
    """A name that neither hides a folder nor means another one."""
    return re.sub(r"^[. ]+|[. ]+$", "", stem) or "photo"


def _shortened(name: str, ending: str = "") -> str:
    room = LONGEST - len(os.fsencode(ending))
    encoded = os.fsencode(name)
    if len(encoded) <= room:
        return name + ending
    # cut between letters: what is left of a cut one is not text
    cut = encoded[:room].decode("utf-8", "ignore") if _is_text(name) else os.fsdecode(encoded[:room])
    return cut + ending


def _is_text(name: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _on_any_disk(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
