"""Writing files so that none is ever incomplete: under another name first, which is then renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from toolkit.errors import InputError, OutputError

_DISK_ERRORS = {
    errno.ENOSPC,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EDQUOT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.EFBIG,
    errno.EIO,
    errno.ELOOP,
    errno.EBUSY,
    errno.ENXIO,
    errno.ENODEV,
    errno.ENOTCONN,  # a share that is not there any more
    errno.ESTALE,
    errno.ETIMEDOUT,
}
_SYSTEM_CODE = re.compile(r"\(os error (\d+)\)")
"""How safetensors' error, which is no OSError, names the system's."""
_FULL = 64 * 1024
"""Free bytes below which a disk is full: libraries say so in many ways, and not by an OSError."""


@contextlib.contextmanager
def disk_errors_named(target: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write into one sentence that names the target.

    Raises:
        OutputError: The disk is full, the folder is read-only or cannot be made, or a file stands where a folder
            should.
    """
    try:
        yield
    except OSError as error:
        if _cannot_be_made(error, target) or (error.errno in _DISK_ERRORS and _concerns(error, target)):
            raise OutputError(f"cannot write {target}: {os.strerror(error.errno or errno.EIO)}") from error
        raise


def check_folder_place(path: str | os.PathLike[str]) -> None:
    """Refuse a folder that could never be written, before any work; nothing is left there.

    Raises:
        InputError: A file stands there, or in its way.
        OutputError: It, or the folder that it would be made in, is read-only or takes nothing.
    """
    target = Path(path)
    nearest = next(place for place in (target, *target.absolute().parents) if os.path.lexists(place))
    if not nearest.is_dir():
        raise InputError(f"cannot write into {target}: {nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write into {target}: {nearest} is read-only")
    try:
        os.rmdir(
            tempfile.mkdtemp(prefix=_WORKSHOP, dir=nearest)
        )  # some places take nothing although they may be written
    except OSError as error:
        raise OutputError(f"cannot write into {target}: {os.strerror(error.errno or errno.EIO)}") from error


def is_empty(path: str | os.PathLike[str], besides: str = "") -> bool:
    """Whether nothing is there, or a folder that holds nothing but what a kill left behind.

    Args:
        path: The place.
        besides: A name that does not count, either.
    """
    if not os.path.lexists(path):
        return True
    return os.path.isdir(path) and all(name.startswith(_WORKSHOP) or name == besides for name in os.listdir(path))


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path of the same name beside `path`; it replaces `path` when the block ends well.

    Raises:
        OutputError: The place cannot be written.
    """
    target = Path(path)
    with disk_errors_named(target), _workshop(target.parent) as shop:
        temporary = shop / target.name
        temporary.touch()
        with _full_disk_told(temporary, target):
            yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str], keep: Callable[[str], bool] = lambda name: False) -> Iterator[Path]:
    """Yield a temporary folder of the same name beside `path`; it takes the place of `path` when the block ends well.

    A folder that stood there before is kept until the new one is complete.

    Args:
        path: The folder.
        keep: Whether a file or folder of that name in the old folder is taken over into the new one.

    Raises:
        OutputError: The place cannot be written.
    """
    target = Path(path)
    with disk_errors_named(target), _workshop(target.parent) as shop:
        temporary = shop / target.name
        temporary.mkdir()
        with _full_disk_told(temporary, target):
            yield temporary
            _take_over(target, temporary, keep)
        temporary.chmod(0o777 & ~_umask())
        _exchange(temporary, target, shop / _SHELF)


@contextlib.contextmanager
def atomic_export(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Like `atomic_write`, for a block that may write more files beside the yielded path; those get their places first.

    Raises:
        OutputError: The place cannot be written.
    """
    target = Path(path)
    with disk_errors_named(target), _workshop(target.parent) as shop:
        temporary = shop / target.name
        temporary.touch()
        with _full_disk_told(temporary, target):
            yield temporary
        written = [file for file in sorted(shop.rglob("*")) if file.is_file() and file != temporary]
        for file in [*written, temporary]:
            place = target.parent / file.relative_to(shop)
            place.parent.mkdir(parents=True, exist_ok=True)
            with open(file, "rb") as whole:
                os.fsync(whole.fileno())
            file.chmod(0o666 & ~_umask())
            file.replace(place)


_WORKSHOP = ".toolkit-"
"""What the hidden folders begin with in which things are made before they get their place."""
_SHELF = ".old"
"""The folder in it where the old one waits until the new one stands."""
_cleared: set[str] = set()


@contextlib.contextmanager
def _workshop(parent: Path) -> Iterator[Path]:
    """A hidden folder in `parent`, gone afterwards; those that a kill left behind are cleared the first time."""
    parent.mkdir(parents=True, exist_ok=True)
    place = os.path.abspath(parent)
    if place not in _cleared:
        _cleared.add(place)
        _clear_leftovers(parent)
    shop, lock = _locked_folder(parent)
    try:
        yield shop
    finally:
        shutil.rmtree(shop, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _locked_folder(parent: Path) -> tuple[Path, int | None]:
    """A new folder that says, by a lock which ends with this process, that somebody works in it."""
    while True:
        shop = Path(tempfile.mkdtemp(prefix=_WORKSHOP, dir=parent))
        lock = _lock(shop)
        if shop.is_dir():  # else another process took it for a leftover before it was locked
            return shop, lock
        if lock is not None:
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder; None where somebody else has locked it, or where the system has no locks."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _clear_leftovers(parent: Path) -> None:
    """Remove what killed processes left in `parent`; an old folder that they had moved away comes back."""
    with contextlib.suppress(OSError):
        for shop in list(parent.glob(f"{_WORKSHOP}????????")):
            lock = _lock(shop) if shop.is_dir() and not shop.is_symlink() else None
            if lock is None:
                continue
            for shelved in (shop / _SHELF).glob("*"):
                if not os.path.lexists(parent / shelved.name):
                    shelved.rename(parent / shelved.name)
            shutil.rmtree(shop, ignore_errors=True)
            os.close(lock)


def _take_over(old: Path, new: Path, keep: Callable[[str], bool]) -> None:
    """Copy what is to be kept, so that nothing is missing from the old folder if the new one comes to nothing."""
    for entry in sorted(old.iterdir()) if old.is_dir() else ():
        if keep(entry.name) and not os.path.lexists(new / entry.name):
            if entry.is_dir() and not entry.is_symlink():
                shutil.copytree(entry, new / entry.name, symlinks=True)
            else:
                shutil.copy2(entry, new / entry.name, follow_symlinks=False)


def _exchange(new: Path, target: Path, shelf: Path) -> None:
    """Put the folder `new` in the place of `target`, which comes back if that fails."""
    shelf.mkdir()
    shelved = shelf / target.name
    try:
        if target.exists():
            target.rename(shelved)
        new.rename(target)
    except BaseException:
        if shelved.exists() and not target.exists():
            shelved.rename(target)
        raise


@contextlib.contextmanager
def _full_disk_told(temporary: Path, target: Path) -> Iterator[None]:
    """Turn a library's error on a full disk into the system's own, before the file that fills the disk is removed."""
    try:
        yield
    except OutputError as error:  # of a file that was written by another function: name the place that the user knows
        if shutil.disk_usage(temporary.parent).free < _FULL and not _names_the_systems_error(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise OutputError(str(error).replace(str(temporary), str(target))) from error
    except MemoryError:
        raise
    except Exception as error:
        named = isinstance(error, OSError) and error.errno in _DISK_ERRORS
        code = _SYSTEM_CODE.search(str(error))
        if code is not None and int(code[1]) in _DISK_ERRORS:
            raise OSError(int(code[1]), os.strerror(int(code[1]))) from error
        if not named and shutil.disk_usage(temporary.parent).free < _FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise


def _names_the_systems_error(error: OutputError) -> bool:
    return any(os.strerror(code) in str(error) for code in _DISK_ERRORS)


def _cannot_be_made(error: OSError, target: Path) -> bool:
    """Whether the system knows no such place as the target or a folder above it, although it was to be made."""
    if error.errno != errno.ENOENT or not isinstance(error.filename, (str, os.PathLike)):
        return False
    place = Path(error.filename).absolute()
    return place == target.absolute() or place in target.absolute().parents


def _concerns(error: OSError, target: Path) -> bool:
    """Whether an error is about the target's surroundings, not about another file that the block was reading."""
    if not isinstance(error.filename, (str, os.PathLike)):
        return True
    place = Path(error.filename).absolute()
    around = target.absolute().parent
    return place == around or around in place.parents or place in around.parents


def sort_metadata(path: Path) -> None:
    """Give the header of a safetensors file that was just written one order: the library's changes with every write."""
    with open(path, "r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header = {"__metadata__": dict(sorted(header.pop("__metadata__", {}).items())), **header}
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) <= size:  # the same text in another order; the format allows spaces after it
            file.seek(8)
            file.write(text.ljust(size))


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Return the hexadecimal sha256 of a file's bytes."""
    with open(path, "rb") as file:
        return (
            hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _sha256(file.read())
        )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
