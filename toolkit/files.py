"""Writing so that nothing half-written is ever seen: to a sibling first, then rename."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
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
}


@contextlib.contextmanager
def disk_errors_named(target: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write into one sentence that names the target.

    Raises:
        OutputError: The disk is full, the folder is read-only, or a file stands where a folder should.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_ERRORS and _concerns(error, target):
            raise OutputError(f"cannot write {target}: {os.strerror(error.errno)}") from error
        raise


def check_folder_place(path: str | os.PathLike[str]) -> None:
    """Refuse a folder that could never be written, before any work; nothing is made.

    Raises:
        InputError: A file stands there, or in its way.
        OutputError: It, or the folder that it would be made in, is read-only.
    """
    target = Path(path)
    nearest = next(place for place in (target, *target.absolute().parents) if os.path.lexists(place))
    if not nearest.is_dir():
        raise InputError(f"cannot write into {target}: {nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write into {target}: {nearest} is read-only")


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it replaces `path` when the block ends well.

    The temporary name keeps the suffix, because many writers choose a format by it.

    Raises:
        OutputError: The place cannot be written.
    """
    target = Path(path)
    with disk_errors_named(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with open(temporary, "rb") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; it takes the place of `path` when the block ends well.

    A folder that stood there before is kept until the new one is complete.

    Raises:
        OutputError: The place cannot be written.
    """
    target = Path(path)
    with disk_errors_named(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            _exchange(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _exchange(new: Path, target: Path) -> None:
    """Put the folder `new` in the place of `target`, which comes back if that fails."""
    shelf = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
    shelved = shelf / target.name
    try:
        if target.exists():
            target.rename(shelved)
        new.rename(target)
    except BaseException:
        if shelved.exists() and not target.exists():
            shelved.rename(target)
        raise
    finally:
        shutil.rmtree(shelf, ignore_errors=True)


def _concerns(error: OSError, target: Path) -> bool:
    """Whether an error is about the target's surroundings, not about another file that the block was reading."""
    if not isinstance(error.filename, (str, os.PathLike)):
        return True
    place = Path(error.filename).absolute()
    around = target.absolute().parent
    return place == around or around in place.parents or place in around.parents


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
