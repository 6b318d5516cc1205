from __future__ import annotations

import errno
import os

import pytest
import torch
from safetensors import SafetensorError

from toolkit.machine_failures import Kind, failure_named, machine_failure, reason


def wrapped(error: Exception, words: str = "the method gave up") -> Exception:
    """An error that a method raised because of another one."""
    try:
        try:
            raise error
        except Exception as inner:
            raise ValueError(words) from inner
    except ValueError as outer:
        return outer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        *((OSError(code, os.strerror(code)), Kind.DISK) for code in
          (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE)),
        (SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"), Kind.DISK),
        (SafetensorError("I/O error: Disk quota exceeded (os error 122)"), Kind.DISK),
        (RuntimeError("[enforce fail at inline_container.cc:603] . unexpected pos 64 vs 0: No space left on device"),
         Kind.DISK),
        (MemoryError(), Kind.MEMORY),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), Kind.MEMORY),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), Kind.MEMORY),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"),
         Kind.MEMORY),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), Kind.DEVICE),
    ],
)  # fmt: skip
def test_disk_memory_and_device_are_the_machines(error: Exception, kind: str):
    assert machine_failure(error) == kind
    assert machine_failure(wrapped(error)) == kind
    assert reason(wrapped(error)) and "gave up" not in reason(wrapped(error))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("the size of tensor a (3) must match the size of tensor b (4)"),
        ValueError("out of memory of former days"),
        FileNotFoundError(errno.ENOENT, "no such file"),
        PermissionError(errno.EACCES, "not yours"),
        SafetensorError("Error while deserializing header: InvalidHeaderDeserialization"),
        KeyError("No space left on device"),
    ],
)
def test_everything_else_is_whoevers_it_is(error: Exception):
    assert machine_failure(error) is None
    assert machine_failure(wrapped(error)) is None


def test_an_error_that_was_dealt_with_counts_no_more():
    try:
        try:
            raise MemoryError
        except MemoryError:
            raise ValueError("a shape") from None
    except ValueError as error:
        assert machine_failure(error) is None


def test_messages_of_earlier_runs_are_told_apart():
    assert failure_named("SafetensorError: I/O error: No space left on device (os error 28)") == Kind.DISK
    assert failure_named("OutOfMemoryError: CUDA out of memory") == Kind.MEMORY
    assert failure_named("RuntimeError: the method crashed") is None
