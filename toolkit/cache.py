"""The folders of things that are made once and kept (pictures, pairs, rays), and of the user's weights."""

from __future__ import annotations

import os
from pathlib import Path

from toolkit.errors import OutputError

CACHE_VARIABLE = "TOOLKIT_CACHE"
DEFAULT_CACHE = "~/.cache/toolkit"


def cache_folder(*parts: str) -> Path:
    """The user's cache ($TOOLKIT_CACHE, or ~/.cache/toolkit), or a place below it; it need not exist.

    Raises:
        OutputError: There can be no such place.
    """
    asked = Path(os.environ.get(CACHE_VARIABLE) or DEFAULT_CACHE)
    try:
        place = asked.expanduser().joinpath(*parts)
        place.is_dir()  # looks at the disk, which may not take such a name
    except (OSError, RuntimeError) as error:  # a home that nobody knows
        reason = error.strerror if isinstance(error, OSError) else error
        raise OutputError(f"the cache cannot be {asked} ({CACHE_VARIABLE}): {reason}") from error
    return place
