"""How the functions of this folder are compiled, and where the result is kept."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

_FOLDER = Path(__file__).parent
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
"""Other threads run; dividing by 0 gives infinity; nothing is allocated, so that no array counts its users."""
part = numba.njit(inline="always", **_OPTIONS)
"""A part of the function that calls it: with so many arrays, a call takes as long as what it does."""
in_any_order = numba.njit(fastmath={"contract", "reassoc", "nsz", "arcp", "nnan", "ninf"}, **_OPTIONS)
"""What vector instructions may add up in another order."""


def kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Compile at the first call; the result is kept for later processes, until a file of this folder changes.

    It is kept beside the file or, where that is not allowed, in the user's cache of Numba.
    """
    settings: Any = numba.config
    before, settings.CACHE_DIR = settings.CACHE_DIR, str(_FOLDER / "__pycache__" / _stamp())
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # neither can be written to
        return numba.njit(**_OPTIONS)(function)
    finally:
        settings.CACHE_DIR = before


@functools.cache
def _stamp() -> str:
    """Of all that is compiled: Numba itself looks only at the file of the function that is called."""
    digest = hashlib.sha256()
    for file in sorted(_FOLDER.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
