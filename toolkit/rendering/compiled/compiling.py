"""How functions are compiled, and where the result is kept."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
"""Other threads run; dividing by 0 gives infinity; nothing is allocated, so that no array counts its users."""
part = numba.njit(inline="always", **_OPTIONS)
"""A part of the function that calls it: with so many arrays, a call takes as long as what it does."""
called = numba.njit(**_OPTIONS)
"""A function of a few numbers that kernels call."""
in_any_order = numba.njit(fastmath={"contract", "reassoc", "nsz", "arcp", "nnan", "ninf"}, **_OPTIONS)
"""What vector instructions may add up in another order."""

_Kernel = Callable[..., None]


def kernels_of(folder: Path) -> Callable[[_Kernel], _Kernel]:
    """A decorator: compile at the first call; the result is kept until a Python file in `folder` or below changes.

    It is kept beside the decorated function's file or, where that is not allowed, in the user's cache of Numba.
    """

    def compiled(function: _Kernel) -> _Kernel:
        settings: Any = numba.config
        own = Path(function.__code__.co_filename).parent
        before, settings.CACHE_DIR = settings.CACHE_DIR, str(own / "__pycache__" / _stamp(folder))
        try:
            return numba.njit(cache=True, **_OPTIONS)(function)
        except RuntimeError:  # neither can be written to
            return numba.njit(**_OPTIONS)(function)
        finally:
            settings.CACHE_DIR = before

    return compiled


@functools.cache
def _stamp(folder: Path) -> str:
    """Of all that is compiled: Numba itself looks only at the file of the function that is called."""
    digest = hashlib.sha256()
    for file in (Path(__file__), *sorted(folder.rglob("*.py"))):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


kernel = kernels_of(Path(__file__).parent)
"""What compiles the functions of this folder."""
