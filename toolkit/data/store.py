"""Reading the files of a data set from a folder or straight from a zip, without ever leaving it.

A zip is somebody else's file: member sizes are bounded before and while they are unpacked, names that climb out are
refused, and nothing is written to disk.
"""

from __future__ import annotations

import os
import re
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from toolkit.errors import InputError
from toolkit.interfaces.dataset import MEMBER_LIMIT, Store
from toolkit.pictures import SUFFIXES

_NO_ZIP = (
    OSError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, LookupError, OverflowError,
    struct.error,
)  # fmt: skip
"""What opening bytes that are no sound zip raises: versions, encodings and offsets of anybody's invention included."""
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_DRIVE = re.compile(r"[A-Za-z]:")
_ARCHIVER_FOLDER = "__MACOSX/"
"""What one operating system's archiver puts beside the files."""


def open_store(path: str | os.PathLike[str]) -> Store:
    """Open a folder or a zip; if it holds only a folder with a data set in it, that folder is opened.

    Raises:
        InputError: There is nothing at `path`, or a file that is not a zip, or a zip with unsafe members.
    """
    place = Path(path)
    if not place.exists():
        raise InputError(f"there is no data set at {place}")
    if not place.is_dir() and not place.is_file():  # a pipe or a device may never end
        raise InputError(f"{place} is neither a folder nor a regular file")
    store: Store = FolderStore(place) if place.is_dir() else ZipStore(place)
    inner = _only_folder(store.names())
    return store if inner is None else InnerStore(store, inner)


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


def _only_folder(names: list[str]) -> str | None:
    """The folder in which all of a data set lies, its labels (some JSON file) included; None where there is none.

    Files beside it that are neither labels nor pictures, such as a README, do not count.
    """
    names = [name for name in names if not name.startswith(_ARCHIVER_FOLDER)]
    folders = {name.partition("/")[0] for name in names if "/" in name}
    beside = {PurePosixPath(name).suffix.lower() for name in names if "/" not in name}
    if len(folders) != 1 or not beside.isdisjoint((".json", *SUFFIXES)):
        return None
    (top,) = folders
    return top if any(name.endswith(".json") and name.count("/") == 1 for name in names) else None


class InnerStore:
    """The files below one folder of another store, named as if that were the store."""

    def __init__(self, outer: Store, folder: str) -> None:
        """Look into a folder of a store."""
        self.path, self._outer, self._folder = outer.path, outer, f"{folder}/"

    def names(self) -> list[str]:
        """All file names, sorted."""
        start = len(self._folder)
        return sorted(name[start:] for name in self._outer.names() if name.startswith(self._folder))

    def read(self, name: str, limit: int = MEMBER_LIMIT) -> bytes:
        """The bytes of one file (see `Store.read`)."""
        return self._outer.read(self._folder + safe_name(name, self.path), limit)


class FolderStore:
    """Files under a folder; hidden ones are left out, links that lead out of it are never followed."""

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

    def read(self, name: str, limit: int = MEMBER_LIMIT) -> bytes:
        """The bytes of one file (see `Store.read`)."""
        file = self.path / safe_name(name, self.path)
        try:
            if not file.is_file():
                raise InputError(f"{file}: there is no such file")
            if not file.resolve().is_relative_to(self.path.resolve()):
                raise InputError(f"{file}: a link that leads out of the data set")
            if file.stat().st_size > limit:
                raise InputError(f"{file}: larger than {_in_words(limit)}")
            return file.read_bytes()
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror})") from error


class _Opened:
    """A zip that one process has opened."""

    def __init__(self, process: int, file: zipfile.ZipFile) -> None:
        self.process, self.file = process, file
        # some archivers of Windows write backslashes
        self.members = {info.filename.replace("\\", "/"): info for info in file.infolist()}


class ZipStore:
    """Members of a zip; picklable, and reopened in every process, since a file position cannot be shared."""

    def __init__(self, path: Path) -> None:
        """Open a zip and check every member's name, size and compression.

        Raises:
            InputError: It is not a zip, or a member is unsafe.
        """
        self.path = path
        self._opened: _Opened | None = None
        for name, info in self._members().items():
            self._check(name, info)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the open file."""
        return {"path": self.path, "_opened": None}

    def names(self) -> list[str]:
        """All file names, sorted."""
        return sorted(
            name
            for name in self._members()
            if not name.endswith("/") and not any(part.startswith(".") for part in PurePosixPath(name).parts)
        )

    def read(self, name: str, limit: int = MEMBER_LIMIT) -> bytes:
        """The bytes of one member (see `Store.read`)."""
        try:
            with self._zip().open(self._members()[safe_name(name, self.path)]) as member:
                data = member.read(limit + 1)
        except KeyError as error:
            raise InputError(f"{self.path}: no member {name!r}") from error
        except (*_NO_ZIP, zlib.error) as error:
            raise InputError(f"{self.path}: member {name!r} is damaged ({error})") from error
        if len(data) > limit:
            raise InputError(f"{self.path}: member {name!r} is larger than {_in_words(limit)}")
        return data

    def _members(self) -> dict[str, zipfile.ZipInfo]:
        return self._open().members

    def _zip(self) -> zipfile.ZipFile:
        return self._open().file

    def _open(self) -> _Opened:
        if self._opened is None or self._opened.process != os.getpid():
            try:
                self._opened = _Opened(os.getpid(), zipfile.ZipFile(self.path))
            except _NO_ZIP as error:
                raise InputError(f"{self.path} is neither a folder nor a readable zip ({error})") from error
        return self._opened

    def _check(self, name: str, info: zipfile.ZipInfo) -> None:
        safe_name(name, self.path)
        if info.file_size > MEMBER_LIMIT:
            raise InputError(f"{self.path}: member {info.filename!r} is larger than {_in_words(MEMBER_LIMIT)}")
        if info.compress_type not in _COMPRESSIONS or info.flag_bits & _ENCRYPTED:
            raise InputError(f"{self.path}: member {info.filename!r} is encrypted or neither stored nor deflated")


def _in_words(size: int) -> str:
    return f"{size // 2**20} MiB" if size >= 2**20 else f"{size} bytes"
