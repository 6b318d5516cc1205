"""What is known about a photo: camera or landmarks in a file, or an entry in the data set that contains it."""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from toolkit.camera import LABEL_SIZE, Camera
from toolkit.data.labels import checked_cameras, parse_entry, parse_json, posix_name
from toolkit.data.layout import LABELS_FILE, mask_name
from toolkit.documents import parsed, read_bounded
from toolkit.errors import InputError
from toolkit.faces.template import check_landmarks

LEVELS = 3
"""A picture's own folder and so many less one above it are searched for `dataset.json`."""
_TEXT_LIMIT = 2**20
"""Bytes of a camera or landmark file."""


class DatasetEntry(NamedTuple):
    """What a data set knows about one of its pictures."""

    folder: Path
    name: str
    camera: Camera
    """Batch of 1."""
    mask: Path | None


def read_camera(source: Camera | str | os.PathLike[str] | Sequence[float]) -> Camera:
    """Take a camera, 25 numbers, or a JSON or text file that holds them, as a `Camera` (batch of 1).

    A file holds a list of 25 numbers (strings will do), {"label": [...]}, or plain text with 25 numbers.

    Raises:
        InputError: Not 25 finite numbers, or no possible camera.
    """
    if isinstance(source, Camera):
        if len(source) != 1:
            raise InputError(f"one camera is needed for a photo, got {len(source)}")
        return source
    if isinstance(source, (str, os.PathLike)):
        where = f"the camera file {os.fspath(source)}"
        document = _read_document(Path(source), where)
    else:
        where, document = "camera", list(np.asarray(source).ravel().tolist())
    if isinstance(document, dict):
        if "label" not in document:
            raise InputError(f'{where} must hold {LABEL_SIZE} numbers or {{"label": [{LABEL_SIZE} numbers]}}')
        document = document["label"]
    return Camera.from_label(_camera_numbers(document, where)).checked(where)


def read_landmarks(source: np.ndarray | str | os.PathLike[str]) -> np.ndarray:
    """Take landmarks, or a JSON or text file that holds them, as float64 [5, 2] in pixels.

    Raises:
        InputError: Not five pairs of finite numbers.
    """
    if not isinstance(source, (str, os.PathLike)):
        return check_landmarks(source)
    where = f"the landmark file {os.fspath(source)}"
    document = _read_document(Path(source), where)
    if isinstance(document, dict):
        document = document.get("landmarks")
    try:
        numbers = np.asarray(document, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where} must hold five [x, y] pairs of numbers") from error
    if numbers.size != 10:
        raise InputError(f"{where} must hold five [x, y] pairs, got {numbers.size} numbers")
    return check_landmarks(numbers.reshape(5, 2))


def find_dataset_entry(path: str | os.PathLike[str]) -> DatasetEntry | None:
    """Look a picture up in the `dataset.json` of its folder or of the two folders above; None where none names it.

    Raises:
        InputError: A `dataset.json` names the picture, but with a label that is not a camera.
    """
    file = Path(path).absolute()
    for folder in file.parents[:LEVELS]:
        index = folder / LABELS_FILE
        if not index.is_file():
            continue
        name = file.relative_to(folder).as_posix()
        entry = _entries(index, index.stat().st_mtime_ns).get(name)
        if entry is None:
            continue
        label = parse_entry([name, entry], str(index))
        mask = folder / mask_name(name)
        return DatasetEntry(folder, name, Camera(checked_cameras([label])), mask if mask.is_file() else None)
    return None


@functools.lru_cache(maxsize=2)  # a full data set's file takes seconds to parse, and a folder's photos come in a row
def _entries(index: Path, changed: int) -> dict[str, Any]:
    del changed  # only part of the key
    try:
        document = parse_json(read_bounded(index), str(index))
    except (InputError, ValueError):
        return {}  # somebody else's dataset.json beside an ordinary photo
    except OSError as error:
        raise InputError(f"{index} cannot be read: {error.strerror}") from error
    labels = document.get("labels") if isinstance(document, dict) else None
    found: dict[str, Any] = {}
    for entry in labels.items() if isinstance(labels, dict) else labels if isinstance(labels, list) else ():
        if isinstance(entry, (list, tuple)) and len(entry) == 2 and isinstance(entry[0], str):
            with contextlib.suppress(InputError):  # a faulty entry costs no other picture its camera
                found[posix_name(entry[0], str(index))] = entry[1]
    return found


def _read_document(file: Path, where: str) -> Any:
    """JSON, or else plain numbers apart by blanks, commas or semicolons."""
    if not file.exists():
        raise InputError(f"{where} does not exist")
    try:
        text = read_bounded(file, _TEXT_LIMIT).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(f"{where} cannot be read as text: {error}") from error
    try:
        return parsed(text)
    except ValueError as error:
        try:
            return [float(word) for word in text.replace(",", " ").replace(";", " ").split()]
        except ValueError:
            raise InputError(f"{where} is neither JSON nor plain numbers: {error}") from error


def _camera_numbers(document: Any, where: str) -> list[float]:
    while isinstance(document, list) and len(document) == 1 and isinstance(document[0], list):
        document = document[0]
    if not isinstance(document, list) or len(document) != LABEL_SIZE:
        count = f"{len(document)} values" if isinstance(document, list) else type(document).__name__
        raise InputError(f"{where} must hold {LABEL_SIZE} numbers, got {count}")
    try:
        numbers = [float(value) for value in document]
    except (TypeError, ValueError) as error:
        raise InputError(f"{where} must hold {LABEL_SIZE} numbers: {error}") from error
    if not all(math.isfinite(number) for number in numbers):
        raise InputError(f"{where} holds NaN or infinity")
    return numbers
