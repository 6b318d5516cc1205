"""An append-only record of finished work that survives being killed at any moment."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from toolkit.bench.records.units import CellRecord, InversionRecord
from toolkit.errors import InputError
from toolkit.files import disk_errors_named

_LONGEST = 255
"""Bytes that a file system allows a name."""
Kept = TypeVar("Kept", CellRecord, InversionRecord)


class Store(Generic[Kept]):
    """Lines of JSON, one record each, found by their `key`; a later record replaces an earlier one.

    A last line that was torn by a kill is dropped when the store is opened; damage elsewhere is an error.
    """

    def __init__(self, path: Path, kind: type[Kept], writes: bool = True) -> None:
        """Open a store, or start one with its first record.

        Args:
            path: The file.
            kind: What its lines are.
            writes: Otherwise what is appended stays in `added`, and another process writes it down.

        Raises:
            InputError: The file holds something else.
        """
        self.path, self._writes = path, writes
        self._kind: type[Kept] = kind
        self._records: dict[str, Kept] = {}
        self.added: list[tuple[str, Kept]] = []
        """What was appended and not written, since somebody emptied this list."""
        if path.exists():
            self._read()

    def get(self, key: str) -> Kept | None:
        """The record of a key, if there is one."""
        return self._records.get(key)

    def __iter__(self) -> Iterator[Kept]:
        """All records, oldest key first."""
        return iter(list(self._records.values()))

    def __len__(self) -> int:
        """How many units of work are written down."""
        return len(self._records)

    def append(self, key: str, record: Kept) -> Kept:
        """Write a record down for good (it is on the disk when this returns) and return it as it will be read.

        Raises:
            OutputError: The file cannot be written.
        """
        text = json.dumps({**record.as_json(), "key": key}, ensure_ascii=False, allow_nan=False)
        line = text.encode("utf-8", "replace")  # an error may quote a name that is no text
        if self._writes:
            self._write(line)
        self._records[key] = self._kind.model_validate_json(line)
        if not self._writes:
            self.added.append((key, self._records[key]))
        return self._records[key]

    def _write(self, line: bytes) -> None:
        with disk_errors_named(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab") as file:
                file.write(line + b"\n")
                file.flush()
                os.fsync(file.fileno())

    def _read(self) -> None:
        data = self.path.read_bytes()
        whole, _, torn = data.rpartition(b"\n")
        for number, line in enumerate(whole.split(b"\n") if whole else (), 1):
            try:
                record = self._kind.model_validate_json(line, strict=True)
            except ValidationError as error:
                raise InputError(f"{self.path} is damaged in line {number}; remove that line or the file") from error
            self._records[record.key] = record
        if torn and self._writes:
            with disk_errors_named(self.path), open(self.path, "r+b") as file:
                file.truncate(len(data) - len(torn))


def key_of(*parts: Any) -> str:
    """A short hash of JSON-able parts: the identity of a unit of work."""
    text = json.dumps(_plain(parts), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def file_name(text: str, key: str = "") -> str:
    """A name that every disk takes: the plain letters of a text, cut where it is long, and the beginning of a key."""
    plain, ending = re.sub(r"[^A-Za-z0-9_.+-]+", "_", text).strip(".") or "_", f"-{key[:8]}" if key else ""
    return plain[: _LONGEST - len(ending)] + ending


def _plain(value: Any) -> Any:
    """What strict JSON can hold: NaN and infinity become null."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
