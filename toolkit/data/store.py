"""Reading the files of a data set from a folder or straight from a zip, without ever leaving it.

A zip is somebody else's file: member sizes are bounded before and while they are unpacked, names that climb out are
refused, and nothing is written to disk.
"""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from toolkit.errors import InputError

MEMBER_LIMIT = 512 * 2**20
"""Largest file that is read, in bytes."""
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_DRIVE = re.compile(r"[A-Za-z]:")


class Store(Protocol):
    """Named files; names are relative and use forward slashes."""

    path: Path

    def names(self) -> list[str]:
        """All file names, sorted."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of one file.

        Raises:
            InputError: No such file, a name that leaves the store, or a file that is too large or damaged.
        """
        ...


def open_store(path: str | os.PathLike[str]) -> Store:
    """Open a folder or a zip.

    Raises:
        InputError: There is nothing at `path`, or a file that is no zip, or a zip with unsafe members.
    """
    place = Path(path)
    if place.is_dir():
        return FolderStore(place)
    if not place.exists():
        raise InputError(f"there is no data set at {place}")
    return ZipStore(place)


def safe_name(name: str, where: Path) -> str:
    """Return a relative name in its plainest form.

    Raises:
        InputError: It is empty, absolute, climbs out with '..', or holds a backslash, a drive or a NUL.
    """
    pure = PurePosixPath(name)
    climbs = pure.is_absolute() or ".." in pure.parts or "\\" in name or _DRIVE.match(name) is not None
    if not pure.parts or climbs or "\0" in name:
        raise InputError(f"{where}: the name {name!r} leads out of the data set")
    return str(pure)


class FolderStore:
    """Files under a folder; hidden ones are left out."""

    def __init__(self, path: Path) -> None:
        """Take in a folder that exists."""
        self.path = path

    def names(self) -> list[str]:
        """All file names, sorted."""
        found = []
        for folder, folders, files in os.walk(self.path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            relative = Path(folder).relative_to(self.path)
            found += [(relative / name).as_posix() for name in files if not name.startswith(".")]
        return sorted(found)

    def read(self, name: str) -> bytes:
        """The bytes of one file (see `Store.read`)."""
        file = self.path / safe_name(name, self.path)
        try:
            if not file.is_file():
                raise InputError(f"{file}: there is no such file")
            if file.stat().st_size > MEMBER_LIMIT:
                raise InputError(f"{file}: larger than {MEMBER_LIMIT // 2**20} MiB")
            return file.read_bytes()
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror})") from error


class ZipStore:
    """Members of a zip; picklable, and reopened in every process, since a file position cannot be shared."""

    def __init__(self, path: Path) -> None:
        """Open a zip and check every member's name, size and compression.

        Raises:
            InputError: It is no zip, or a member is unsafe.
        """
        self.path = path
        self._opened: tuple[int, zipfile.ZipFile] | None = None
        for info in self._zip().infolist():
            self._check(info)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the open file."""
        return {"path": self.path, "_opened": None}

    def names(self) -> list[str]:
        """All file names, sorted."""
        return sorted(
            info.filename
            for info in self._zip().infolist()
            if not info.is_dir() and not any(part.startswith(".") for part in PurePosixPath(info.filename).parts)
        )

    def read(self, name: str) -> bytes:
        """The bytes of one member (see `Store.read`)."""
        try:
            with self._zip().open(safe_name(name, self.path)) as member:
                data = member.read(MEMBER_LIMIT + 1)
        except KeyError as error:
            raise InputError(f"{self.path}: no member {name!r}") from error
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
            raise InputError(f"{self.path}: member {name!r} is damaged ({error})") from error
        if len(data) > MEMBER_LIMIT:
            raise InputError(f"{self.path}: member {name!r} is larger than {MEMBER_LIMIT // 2**20} MiB")
        return data

    def _zip(self) -> zipfile.ZipFile:
        if self._opened is None or self._opened[0] != os.getpid():
            try:
                self._opened = (os.getpid(), zipfile.ZipFile(self.path))
            except (OSError, zipfile.BadZipFile) as error:
                raise InputError(f"{self.path} is neither a folder nor a readable zip ({error})") from error
        return self._opened[1]

    def _check(self, info: zipfile.ZipInfo) -> None:
        safe_name(info.filename, self.path)
        if info.file_size > MEMBER_LIMIT:
            raise InputError(f"{self.path}: member {info.filename!r} is larger than {MEMBER_LIMIT // 2**20} MiB")
        if info.compress_type not in _COMPRESSIONS or info.flag_bits & _ENCRYPTED:
            raise InputError(f"{self.path}: member {info.filename!r} is encrypted or neither stored nor deflated")
