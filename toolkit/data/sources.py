"""What users write where data is wanted: PATH, or READER:PATH for a layout that a data set plugin reads.

```
my-set, my-set.zip      a folder or zip with dataset.json
lpff:lpff.zip           the same place, read by the data set `lpff`
heads360                no path: a data set that makes itself (see `find_maker`)
```

A PATH that exists wins over a prefix.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from toolkit.data import layout
from toolkit.data.folder import ImageFolder
from toolkit.data.indexed import indexed
from toolkit.data.store import Store, open_store
from toolkit.errors import InputError, PluginError
from toolkit.interfaces import Dataset, IndexedDataset, Makeable
from toolkit.interfaces.dataset import Readable


class Source(NamedTuple):
    """A place that exists, and who reads it."""

    path: Path
    reader: str | None = None
    """Name of a registered data set; None: `ImageFolder`."""


def find_source(text: str) -> Source | None:
    """Where PATH or READER:PATH leads; None where it is neither (a data set that makes itself, or nothing).

    Raises:
        InputError: No reader of that name is installed, or there is nothing at its path.
    """
    place = _place(text)
    if place.exists():
        return Source(place)
    reader, colon, rest = text.partition(":")
    if not colon:
        return None
    from toolkit.registry import default_registry, unknown_name

    known = [entry.name for entry in default_registry().of_kind("dataset")]
    if reader not in known:
        raise InputError(f"there is nothing at {text}: {unknown_name('reader', reader, known)}")
    place = _place(rest)
    if not rest or not place.exists():
        raise InputError(f"there is no data set at {rest!r}, where {reader!r} is to read one")
    return Source(place, reader)


def open_source(text: str, size: int | None = None) -> ImageFolder:
    """Open PATH or READER:PATH.

    Args:
        text: What the user wrote.
        size: Resize to this side; None keeps the files'.

    Raises:
        InputError: There is no data set, it is in another layout (the reader is named), or it is malformed.
        PluginError: The reader cannot be loaded, or opens something else than an `ImageFolder`.
    """
    source = _existing(text)
    if source.reader is None:
        return ImageFolder(_plain_store(source.path), size)
    from toolkit.registry import default_registry

    opened = default_registry().load("dataset", source.reader)(source.path, size)
    if not isinstance(opened, ImageFolder):
        raise PluginError(f"the data set {source.reader!r} opens a {type(opened).__name__}, not an ImageFolder")
    return opened


def open_dataset(text: str, size: int | None = None) -> IndexedDataset:
    """Open PATH or READER:PATH by the contract of data sets alone: whatever class the reader's is.

    Args:
        text: What the user wrote.
        size: Resize to this side; None keeps the files'.

    Raises:
        InputError: There is no data set, it is in another layout (the reader is named), or it is malformed.
        PluginError: The reader cannot be loaded, or opens something that is no data set.
    """
    source = _existing(text)
    if source.reader is None:
        return ImageFolder(_plain_store(source.path), size)
    from toolkit.registry import default_registry

    opened = default_registry().load("dataset", source.reader)(source.path, size)
    if not isinstance(opened, Dataset):
        raise PluginError(f"the data set {source.reader!r} opens a {type(opened).__name__}, which has no items")
    return indexed(opened, source.path, size)


def open_source_store(text: str) -> Store:
    """The files of PATH or READER:PATH, named as in `toolkit.data.layout`, labels unread.

    Raises:
        InputError: There is no data set, or it is in another layout (the reader is named).
        PluginError: The reader cannot be loaded.
    """
    source = _existing(text)
    if source.reader is None:
        return _plain_store(source.path)
    from toolkit.registry import default_registry

    reader = default_registry().load("dataset", source.reader)
    return reader.store(source.path) if isinstance(reader, Readable) else open_store(source.path)


def absolute_source(text: str) -> str:
    """The same source for a process in another folder; what is no path stays as it is."""
    source = find_source(text)
    if source is None:
        return text
    place = str(source.path.absolute())
    return place if source.reader is None else f"{source.reader}:{place}"


def find_maker(name: str, argument: str) -> Makeable:
    """The data set of this name that makes itself.

    Args:
        name: What the user wrote, which is no source.
        argument: Where it was written, for the message.

    Raises:
        InputError: There is no such data set, or it is read from files.
    """
    from toolkit.registry import default_registry, unknown_name

    registry = default_registry()
    known = [entry.name for entry in registry.of_kind("dataset")]
    if name not in known:
        raise InputError(
            f"{argument}: {name!r} is neither a folder nor a data set; {unknown_name('name', name, known)}"
        )
    factory = registry.load("dataset", name)
    if not isinstance(factory, Makeable):
        raise InputError(f"{argument}: the data set {name!r} is read from files: write {name}:PATH")
    return factory


def _existing(text: str) -> Source:
    source = find_source(text)
    if source is None:
        raise InputError(f"there is no data set at {text}")
    return source


def _place(text: str) -> Path:
    return Path(os.path.expanduser(text))  # Path.expanduser raises where there is no such user


def _plain_store(path: Path) -> Store:
    store = open_store(path)
    names = set(store.names())
    readers = [] if layout.LABELS_FILE in names else _readers_of(names)
    if readers:
        written = " or ".join(f"{reader}:{path}" for reader in readers)
        raise InputError(f"{path} has no {layout.LABELS_FILE} but the labels of another layout: write {written}")
    return store


def _readers_of(names: set[str]) -> list[str]:
    """The installed data sets to whose layout a file points; broken plugins count for none."""
    from toolkit.registry import default_registry

    found = []
    for entry in default_registry().of_kind("dataset"):
        with contextlib.suppress(PluginError):
            factory = entry.load()
            if isinstance(factory, Readable) and factory.label_file in names:
                found.append(entry.name)
    return found
