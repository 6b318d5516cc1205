"""How this process gets memory for tensors on CPUs: freed memory is kept for the next tensor, and pages are large.

By default, glibc gives freed tensors back to the system at once, and every page of the next one is faulted in again: a
third of the time of rendering, where each step makes tensors of a few megabytes. Larger tensors are always given back;
their pages are faulted in 2 MiB at a time, where Linux can: filling 128 MiB then takes 0.035 s instead of 0.1.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

SWITCH = "TOOLKIT_MALLOC"
"""Environment variable; 'system' leaves the allocator as it is."""
KEPT_BYTES = 512 << 20
"""Most freed memory that is kept at the end of the heap."""
LARGE_BYTES = {True: 9 << 20, False: 64 << 20}
"""Tensors from this size on are given back at once, so that they never fragment memory: with large pages (True), which
make new ones cheap, from a smaller size on."""
LARGE_PAGES = "THP_MEM_ALLOC_ENABLE"
"""Environment variable that PyTorch reads when it makes its first tensor; '1' asks for large pages, '0' for none."""
_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


@cache
def keep_freed_memory() -> bool:
    """Ask glibc to keep freed memory; whether it agreed (other C libraries do not know the question).

    PyTorch is asked for large pages, too: to be called before it makes its first tensor.
    """
    settings = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")
    if os.environ.get(SWITCH) == "system" or any(name in os.environ for name in settings):
        return False
    try:
        mallopt, setenv = ctypes.CDLL(None).mallopt, ctypes.CDLL(None).setenv
    except (OSError, AttributeError, TypeError):
        return False
    setenv(LARGE_PAGES.encode(), b"1", 0)  # not by os.environ, in which plugins must leave no trace; 0 keeps the user's
    return bool(mallopt(_MMAP_THRESHOLD, LARGE_BYTES[_has_large_pages()]) and mallopt(_TRIM_THRESHOLD, KEPT_BYTES))


def _has_large_pages() -> bool:
    try:
        return "[never]" not in _PAGES.read_text()
    except OSError:
        return False


def give_back_freed_memory() -> bool:
    """Return all freed memory to the system, so that what the process holds is what it uses; whether any was."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (OSError, AttributeError, TypeError):
        return False
