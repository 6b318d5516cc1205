"""Where things are kept that were made once: pictures, pairs, rays, and weights that the user provides."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "TOOLKIT_CACHE"
DEFAULT_CACHE = "~/.cache/toolkit"


def cache_folder(*parts: str) -> Path:
    """The user's cache ($TOOLKIT_CACHE, or ~/.cache/toolkit), or a place below it; it need not exist."""
    return Path(os.environ.get(CACHE_VARIABLE) or DEFAULT_CACHE).expanduser().joinpath(*parts)
