"""Where the pictures of data sets that make themselves are kept."""

from __future__ import annotations

from pathlib import Path

from toolkit.cache import cache_folder
from toolkit.interfaces import Makeable, VersionedMaker


def kept_folder(name: str, maker: Makeable, *parts: str) -> Path:
    """A place in the user's cache for pictures that this data set makes: <cache>/<name>/v<version>/...

    What an older version of the data set made lies in another folder: it is never taken for today's pictures, and the
    user may delete it. A data set that states no version has no such folder.

    Args:
        name: The data set's.
        maker: The data set.
        parts: Names of folders below.
    """
    version = pictures_version(maker)
    return cache_folder(name, *([] if version is None else [f"v{version}"]), *parts)


def pictures_version(maker: object) -> int | None:
    """The version of the pictures that a data set makes; None: it states none."""
    return maker.version if isinstance(maker, VersionedMaker) else None
