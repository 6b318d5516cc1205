"""The folder of each photo's inversion: named after the photo, the same in whatever order the photos are given."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

LONGEST = 255
"""Bytes that a file system allows a name."""
_DIGEST = 10


def result_folders(photos: Sequence[Path], out: Path) -> list[Path]:
    """One folder per photo, named after it.

    Photos of one name get longer names, all of them: with the ending, else with the folder above, else with a digest of
    the whole path. Names that differ in case or in how accents are encoded count as one, because some disks say so.

    Args:
        photos: Photo files, none given twice.
        out: Where the folders lie.

    Returns:
        A folder per photo, no two alike; they depend neither on the order nor on what is on the disk.
    """
    candidates = [_candidates(photo) for photo in photos]
    chosen = [0] * len(photos)
    while True:
        names = [choices[level] for choices, level in zip(candidates, chosen, strict=True)]
        taken = Counter(map(_on_any_disk, names))
        longer = [
            index
            for index, name in enumerate(names)
            if taken[_on_any_disk(name)] > 1 and chosen[index] + 1 < len(candidates[index])
        ]
        if not longer:
            return [out / name for name in names]
        for index in longer:
            chosen[index] += 1


def distinct(photos: Sequence[Path]) -> list[Path]:
    """The photos without those that were given before."""
    first: dict[str, Path] = {}
    for photo in photos:
        first.setdefault(os.path.abspath(photo), photo)
    return list(first.values())


def _candidates(photo: Path) -> list[str]:
    stem, parent = _usable(photo.stem), _usable(Path(os.path.abspath(photo)).parent.name)
    digest = hashlib.sha256(os.fsencode(os.path.abspath(photo))).hexdigest()[:_DIGEST]
    with_ending = [_shortened(stem, f"-{photo.suffix[1:]}")] if photo.suffix[1:] else []
    return [_shortened(stem), *with_ending, _shortened(f"{parent}-{stem}"), _shortened(stem, f"-{digest}")]


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
