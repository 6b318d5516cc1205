"""Reading JSON that others wrote or damaged: whatever is wrong with it, the error is a ValueError."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LARGEST = 2**29
"""Bytes of a file of JSON."""


def parsed(text: str | bytes) -> Any:
    """What a JSON text holds.

    Raises:
        ValueError: It is no JSON, no UTF-8, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_bounded(path: Path, limit: int = LARGEST) -> bytes:
    """The bytes of a file that somebody else may have put there.

    Raises:
        OSError: It cannot be read.
        ValueError: It is a pipe or a device, which may never end, or larger than `limit` bytes.
    """
    if path.exists() and not path.is_file():
        raise ValueError("it is not a regular file")
    with open(path, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"it is larger than {limit >> 20} MiB")
    return data


def read_document(path: Path, limit: int = LARGEST) -> Any:
    """What a JSON file of at most `limit` bytes holds.

    Raises:
        OSError: It cannot be read.
        ValueError: As for `parsed` and `read_bounded`.
    """
    return parsed(read_bounded(path, limit).decode())
