"""Parsing `dataset.json` and `subjects.json`: plain data in, typed records out."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import torch
from torch import Tensor

from toolkit.camera import LABEL_SIZE, Camera
from toolkit.data.store import Store
from toolkit.documents import parsed
from toolkit.errors import InputError

REPEATS = 32
"""How often a file may be listed on average (a rebalanced list names some many times)."""
SPARE_ENTRIES = 1000
BYTES_PER_ENTRY, MARKS_PER_ENTRY = 2000, 40
"""Most that an entry of 25 numbers takes."""


class Label(NamedTuple):
    """One entry of `dataset.json`."""

    name: str
    numbers: tuple[float, ...]
    """25 numbers, not yet checked to be a camera."""


class Sighting(NamedTuple):
    """One entry of `subjects.json`."""

    subject: str
    view: str | None


def read_json(store: Store, name: str, files: int) -> Any:
    """Read a JSON file that lists a data set's files; how much it may hold depends on how many there are.

    Args:
        store: Where the file lies.
        name: Its name.
        files: Number of files of the data set.

    Raises:
        InputError: It is not JSON, or far larger than a list of so many files can be; memory is not taken for it then.
    """
    where = f"{store.path}: {name}"
    entries = SPARE_ENTRIES + REPEATS * files
    data = store.read(name, limit=entries * BYTES_PER_ENTRY)
    if sum(data.count(mark) for mark in b"[{,:") > entries * MARKS_PER_ENTRY:
        raise InputError(f"{where} lists far more than the {files} files of the data set")
    return parse_json(data, where)


def parse_json(data: bytes, where: str) -> Any:
    """Parse JSON text.

    Raises:
        InputError: It is not JSON.
    """
    try:
        return parsed(data)
    except ValueError as error:
        raise InputError(f"{where} is not valid JSON: {error}") from error


def parse_labels(document: Any, where: str) -> list[Label] | None:
    """Read the entries of a `dataset.json` document; None where it says that there are no labels.

    Raises:
        InputError: It has another form; the message names the entry.
    """
    entries = document.get("labels") if isinstance(document, dict) else None
    if isinstance(document, dict) and "labels" in document and entries is None:
        return None
    if isinstance(entries, dict):
        entries = list(entries.items())
    if not isinstance(entries, list):
        raise InputError(f'{where} must hold {{"labels": [[name, [{LABEL_SIZE} numbers]], ...]}}')
    return [parse_entry(entry, f"{where}: entry {index}") for index, entry in enumerate(entries)]


def parse_entry(entry: Any, where: str) -> Label:
    """Read one [name, numbers] pair; the numbers may be strings.

    Raises:
        InputError: It is not such a pair.
    """
    if not isinstance(entry, (list, tuple)) or len(entry) != 2 or not isinstance(entry[0], str):
        raise InputError(f"{where} must be [name, [{LABEL_SIZE} numbers]]")
    name, values = posix_name(entry[0], where), entry[1]
    if not isinstance(values, list) or len(values) != LABEL_SIZE:
        count = f"{len(values)} values" if isinstance(values, list) else type(values).__name__
        raise InputError(f"{where} ({name}) must have {LABEL_SIZE} numbers, got {count}")
    try:
        return Label(name, tuple(float(value) for value in values))
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{where} ({name}) must have {LABEL_SIZE} numbers: {error}") from error


def parse_subjects(document: Any, where: str) -> dict[str, Sighting]:
    """Read a `subjects.json` document: {name: {"subject": ..., "view": ...}}.

    Raises:
        InputError: It has another form.
    """
    if not isinstance(document, dict):
        raise InputError(f'{where} must hold {{name: {{"subject": ..., "view": ...}}}}')
    sightings = {}
    for name, entry in document.items():
        if not isinstance(entry, dict) or "subject" not in entry:
            raise InputError(f'{where}: {name} must be {{"subject": ..., "view": ...}}')
        view = entry.get("view")
        sightings[posix_name(name, where)] = Sighting(
            _text(str(entry["subject"]), where), None if view is None else _text(str(view), where)
        )
    return sightings


def posix_name(name: str, where: str) -> str:
    r"""A file's name in its plainest form: lists written on Windows have backslashes, others begin names with `./`.

    Raises:
        InputError: It holds characters that no text has (half of a surrogate pair).
    """
    text = _text(name, where).replace("\\", "/")
    return str(PurePosixPath(text)) if text else text


def _text(value: str, where: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{where}: {value!r} is not text: it holds half of a surrogate pair") from error
    return value


def checked_cameras(labels: Sequence[Label]) -> Tensor:
    """Turn labels into camera labels [N, 25] with exactly orthonormal rotations.

    Raises:
        InputError: A label is not a camera; the message names the item.
    """
    table = torch.tensor([label.numbers for label in labels], dtype=torch.float64).reshape(-1, LABEL_SIZE)
    try:
        return Camera(table).checked().label.float()
    except InputError:
        if len(labels) == 1:
            return _single(labels[0], table)
    middle = len(labels) // 2  # the whole table failed: find whose fault it is
    return torch.cat([checked_cameras(labels[:middle]), checked_cameras(labels[middle:])])


def _single(label: Label, table: Tensor) -> Tensor:
    try:
        return Camera(table).checked(label.name).label.float()
    except InputError as error:
        text = str(error)
        raise InputError(text if label.name in text else f"{label.name}: {text}") from error


class NameIndex:
    """Finds a data set's file by its name, or by one that differs in the extension's case alone."""

    def __init__(self, names: Sequence[str]) -> None:
        """Take in all names."""
        self._names = set(names)
        self._plain = {_plain(name): name for name in reversed(names)}

    def find(self, name: str) -> str | None:
        """The stored name, or None."""
        return name if name in self._names else self._plain.get(_plain(name))

    def missing(self, name: str) -> str:
        """Say that a file is not there, and which one of the same stem is: with another ending, or in other case."""
        near = self._by_stem.get(_stem(name))
        return "is not there" + (f"; did you mean {near!r}?" if near else "")

    @functools.cached_property
    def _by_stem(self) -> dict[str, str]:
        return {_stem(name): name for name in sorted(self._names, reverse=True)}


def _stem(name: str) -> str:
    """A name without its ending, whatever the case of its letters."""
    return (str(PurePosixPath(name).with_suffix("")) if PurePosixPath(name).name else name).casefold()


def _plain(name: str) -> str:
    pure = PurePosixPath(name)
    return str(pure.with_suffix(pure.suffix.lower())) if pure.name else name
