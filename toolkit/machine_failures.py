"""Which errors are the machine's: a full disk, no memory, a broken device. They are never a method's failure."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator

DISK = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ESTALE,
    errno.EFBIG,
}
"""Refusals to write (or to open anything at all) that no other input would change."""
_DISK_WORDS = re.compile(
    r"no space left on device|disk quota exceeded|read-only file system|input/output error|too many open files"
    r"|stale file handle|\(os error (?:28|122|30|5|24|23|116|27)\)",
    re.IGNORECASE,
)
_MEMORY_WORDS = re.compile(
    r"out of memory|outofmemory|memoryerror|cannot allocate memory|can't allocate memory|not enough memory"
    r"|\(os error 12\)|cublas_status_alloc_failed|cudnn_status_alloc_failed",
    re.IGNORECASE,
)
_DEVICE_WORDS = re.compile(
    r"cuda error: (?:uncorrectable|unspecified launch failure|hardware|device.*unavailable|no cuda-capable"
    r"|unknown error)|cuda driver|nvml|device is lost",
    re.IGNORECASE,
)


class Kind:
    """What of the machine failed."""

    DISK, MEMORY, DEVICE = "disk", "memory", "device"


def machine_failure(error: BaseException) -> str | None:
    """What of the machine an error is about (see `Kind`); None where it is about anything else.

    What caused an error counts, too: a method may have wrapped it.
    """
    for each in _chain(error):
        if isinstance(each, MemoryError):
            return Kind.MEMORY
        if isinstance(each, OSError) and each.errno is not None:
            if each.errno == errno.ENOMEM:
                return Kind.MEMORY
            if each.errno in DISK:
                return Kind.DISK
        found = failure_named(f"{type(each).__name__}: {each}") if _may_be(each) else None
        if found is not None:
            return found
    return None


def failure_named(text: str) -> str | None:
    """What of the machine a message speaks of, in the words of the system, of safetensors and of torch."""
    for kind, words in ((Kind.DISK, _DISK_WORDS), (Kind.MEMORY, _MEMORY_WORDS), (Kind.DEVICE, _DEVICE_WORDS)):
        if words.search(text):
            return kind
    return None


def reason(error: BaseException) -> str:
    """The first error of a chain that is the machine's, in one line."""
    for each in _chain(error):
        if isinstance(each, OSError) and each.errno is not None:
            return os.strerror(each.errno)
        if isinstance(each, MemoryError) or failure_named(str(each)):
            return (str(each).splitlines() or ["out of memory"])[0][:200] or "out of memory"
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _may_be(error: BaseException) -> bool:
    """Errors whose kind is told by their words alone: safetensors' and torch's."""
    return type(error).__name__ in ("SafetensorError", "OutOfMemoryError", "AcceleratorError") or (
        isinstance(error, RuntimeError) and type(error).__module__ in ("builtins", "torch", "torch.cuda")
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what caused it, the outermost first."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
