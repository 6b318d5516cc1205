"""The pictures of a bench run: a data set folder, or a procedural data set made once, in the user's cache."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.bench.records.store import key_of
from toolkit.cores import usable_cores
from toolkit.data import ImageFolder, layout
from toolkit.data.kept import kept_folder
from toolkit.data.sources import find_maker, find_sources, open_dataset
from toolkit.documents import read_document
from toolkit.errors import InputError
from toolkit.interfaces import IndexedDataset, MakeRequest

if TYPE_CHECKING:
    from toolkit.interfaces import GeneratorSpec

SPLIT, SEED = "test", 0
DEFAULT_LIMIT = 8
"""Subjects of a procedural data set where no limit is given."""
VIEWS = tuple(f"yaw_{yaw}" for yaw in (0, 30, 60, 90, 120, 150, 180, -150, -120, -90, -60, -30))
"""What is made of each subject: enough for every shipped protocol, so that all of them share one folder."""


def open_data(
    source: str, views: Iterable[str], spec: GeneratorSpec, limit: int | None = None, domain: str = "wild"
) -> IndexedDataset:
    """Open pictures at the generator's image size.

    Args:
        source: A data set folder or zip, READER:PATH, either with @train or @val, several of them with commas, or the
            name of a data set that can make itself (`heads360`).
        views: Views that the protocols want; others than the usual ones get a folder of their own.
        spec: The generator's.
        limit: Subjects wanted.
        domain: Of a procedural data set.

    Raises:
        InputError: Neither a folder nor such a data set, an unknown reader, or a limit below 1.
    """
    if limit is not None and limit < 1:
        raise InputError(f"--limit must be at least 1, got {limit}")
    if find_sources(source):
        return open_dataset(source, spec.image_size)
    factory = find_maker(source, "--data")
    subjects = effective_limit(source, limit) or DEFAULT_LIMIT
    folder = made_folder(kept_folder(source, factory), list(views), domain, subjects, spec.image_size)
    if not (folder / layout.LABELS_FILE).is_file():
        made = tuple(dict.fromkeys(views)) if _unusual(views) else VIEWS
        workers = min(usable_cores(), subjects)
        factory.make(MakeRequest(folder, subjects, SPLIT, SEED, domain, made, spec.image_size, workers))
    return ImageFolder(folder, size=spec.image_size)


def effective_limit(source: str, limit: int | None) -> int | None:
    """The limit where one is given; procedural data, which has no end, gets one of its own."""
    return limit if limit is not None or find_sources(source) else DEFAULT_LIMIT


def data_name(source: str, domain: str) -> str:
    """What results call the data set: its folder's or zip's name (several: joined by +), or its own and the domain."""
    found = find_sources(source)
    return "+".join(each.name for _, each in found) if found else f"{source}-{domain}"


def data_readers(source: str) -> str | None:
    """The registered data sets that read a source, joined by +; None: none does."""
    return "+".join(dict.fromkeys(each.reader for _, each in find_sources(source) if each.reader is not None)) or None


def made_folder(cache: Path, views: Sequence[str], domain: str, subjects: int, size: int) -> Path:
    """Where a procedural data set is kept: <cache>/<domain>-<split>-<seed>-<subjects>-<size>.

    An existing folder of more subjects serves as well: the first subjects are the same. Unusual views, or a folder
    of the usual name that was made with other views, lead to a name of its own.
    """
    stem, tails = f"{domain}-{SPLIT}-{SEED}", [f"{size}-{key_of(sorted(set(views)))[:8]}"]
    if not _unusual(views):
        tails.insert(0, str(size))
    for tail in tails:
        larger = []
        for folder in cache.glob(f"{stem}-*-{tail}"):
            count = folder.name.removeprefix(f"{stem}-").removesuffix(f"-{tail}")
            if count.isdecimal() and int(count) >= subjects and _shows(folder, views):
                larger.append((int(count), folder))
        if larger:
            return min(larger)[1]
    exact = [cache / f"{stem}-{subjects}-{tail}" for tail in tails]
    return next((folder for folder in exact if not (folder / layout.LABELS_FILE).is_file()), exact[-1])


def _shows(folder: Path, views: Sequence[str]) -> bool:
    """Whether a folder is complete and has these views."""
    try:
        seen = read_document(folder / layout.SUBJECTS_FILE)
        shown = {entry["view"] for entry in seen.values()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return False
    return set(views) <= shown and (folder / layout.LABELS_FILE).is_file()


def _unusual(views: Iterable[str]) -> bool:
    return not set(views) <= set(VIEWS)


class Digests(dict[int, str]):
    """What the files of each item are, by index; each is read once (see `IndexedDataset.digest`)."""

    def __init__(self, data: IndexedDataset) -> None:
        super().__init__()
        self.data = data

    def __missing__(self, index: int) -> str:
        """Read an item's files."""
        found = self[index] = self.data.digest(index)
        return found
