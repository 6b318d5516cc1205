"""What users write where data is wanted: PATH, or READER:PATH for a layout that a data set plugin reads.

```
my-set, my-set.zip      a folder or zip with dataset.json
lpff:lpff.zip           the same place, read by the data set `lpff`
lpff:lpff.zip@val       its part `val` (or `train`), by the rule of `toolkit.data.split`
heads360                no path: a data set that makes itself (see `find_maker`)
```

A PATH that exists wins over a prefix and an ending.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from toolkit.data import layout
from toolkit.data.folder import ImageFolder
from toolkit.data.guarded import guarded_dataset
from toolkit.data.indexed import Joined, Some, indexed
from toolkit.data.item_pictures import ItemPictures
from toolkit.data.split import PARTS, indices_of
from toolkit.data.store import Store, open_store
from toolkit.errors import InputError, PluginError
from toolkit.interfaces import Dataset, IndexedDataset, Makeable
from toolkit.interfaces.dataset import Readable, TrainingPictures


class Source(NamedTuple):
    """A place that exists, and who reads it."""

    path: Path
    reader: str | None = None
    """Name of a registered data set; None: `ImageFolder`."""
    part: str | None = None
    """train or val; None: all."""

    @property
    def name(self) -> str:
        """What results call it: its folder's or zip's name, and the part."""
        stem = self.path.resolve().stem
        return stem if self.part is None else f"{stem}-{self.part}"


def find_source(text: str) -> Source | None:
    """Where PATH or READER:PATH leads, either with @train or @val; None where it is neither (a name, or nothing).

    Raises:
        InputError: No reader of that name is installed, or there is nothing at its path.
    """
    place = _place(text)
    if place.exists():
        return Source(place)
    whole, at, part = text.rpartition("@")
    if at and part in PARTS:
        source = find_source(whole)
        return None if source is None else source._replace(part=part)
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


def find_sources(text: str) -> list[tuple[str, Source]]:
    """The sources of a comma-separated list, each with its own text; none where it is no source (see `find_source`).

    Raises:
        InputError: A reader or a path of the list is unknown, or a name stands among sources.
    """
    if _place(text).exists():
        return [(text, Source(_place(text)))]
    texts = [each.strip() for each in text.split(",") if each.strip()]
    found = [(each, find_source(each)) for each in texts]
    strays = [each for each, source in found if source is None]
    if strays and len(found) > 1:
        raise InputError(f"there is no data set at {strays[0]}; only files of data sets can be joined by commas")
    return [(each, source) for each, source in found if source is not None]


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
    opened = _opened(source, size)
    if not isinstance(opened, ImageFolder):
        raise PluginError(f"the data set {source.reader!r} opens a {type(opened).__name__}, not an ImageFolder")
    return opened if source.part is None else opened.only(_part(opened, source.part))


def open_pictures(text: str) -> TrainingPictures:
    """Open PATH or READER:PATH for a training, whatever the reader opens.

    Raises:
        InputError: There is no data set, it is in another layout (the reader is named), or it is malformed.
        PluginError: The reader cannot be loaded, or opens something that is not a data set.
    """
    source = _existing(text)
    opened = _opened(source, None)
    if not isinstance(opened, TrainingPictures):
        data = _indexed(source, opened, None)
        opened = ItemPictures(data, range(len(data)))
    return opened if source.part is None else opened.only(_part(opened, source.part))


def open_dataset(text: str, size: int | None = None) -> IndexedDataset:
    """Open PATH or READER:PATH, or several joined by commas, by the contract of data sets alone.

    Args:
        text: What the user wrote.
        size: Resize to this side; None keeps the files'.

    Raises:
        InputError: There is no data set, it is in another layout (the reader is named), or it is malformed.
        PluginError: The reader cannot be loaded, or opens something that is not a data set.
    """
    sources = find_sources(text)
    if not sources:
        raise InputError(f"there is no data set at {text}")
    opened = {}
    for each, source in sources:
        name, whole = source.name, _indexed(source, _opened(source, size), size)
        if name in opened:
            raise InputError(f"{each}: two data sets are called {name!r}; rename one, since results tell them by name")
        opened[name] = whole if source.part is None else _some(whole, source.part)
    return next(iter(opened.values())) if len(opened) == 1 else Joined(opened)


def open_source_store(text: str) -> Store:
    """The files of PATH or READER:PATH, named as in `toolkit.data.layout`, labels unread.

    Raises:
        InputError: There is no data set, it is in another layout (the reader is named), or its reader shows no files.
        PluginError: The reader cannot be loaded.
    """
    source = _existing(text)
    if source.part is not None:
        raise InputError(f"{text}: all of a data set's files are read; leave @{source.part} out")
    if source.reader is None:
        return _plain_store(source.path)
    from toolkit.registry import default_registry

    reader = default_registry().load("dataset", source.reader)
    if isinstance(reader, Readable):
        return reader.store(source.path)
    if not isinstance(_opened(source, None), ImageFolder):
        raise InputError(
            f"the data set {source.reader!r} shows no files that could be looked at (`Readable`); "
            f"`toolkit plugins check {source.reader} --data {source.path}` reads its items"
        )
    return open_store(source.path)


def absolute_source(text: str) -> str:
    """The same source, or list of them, for a process in another folder; what is not a path stays as it is."""
    return ",".join(_absolute(source) for _, source in find_sources(text)) or text


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


def _absolute(source: Source) -> str:
    place = str(source.path.absolute())
    place = place if source.reader is None else f"{source.reader}:{place}"
    return place if source.part is None else f"{place}@{source.part}"


def _opened(source: Source, size: int | None) -> object:
    if source.reader is None:
        return ImageFolder(_plain_store(source.path), size)
    from toolkit.registry import default_registry

    entry = default_registry().get("dataset", source.reader)
    return guarded_dataset(entry.build(source.path, size), entry)


def _indexed(source: Source, opened: object, size: int | None) -> IndexedDataset:
    if not isinstance(opened, Dataset):
        raise PluginError(f"the data set {source.reader!r} opens a {type(opened).__name__}, which has no items")
    return indexed(opened, source.path, size)


def _some(data: IndexedDataset, part: str) -> IndexedDataset:
    chosen = _part(data, part)
    return data.only(chosen) if isinstance(data, ImageFolder) else Some(data, chosen)


def _part(data: IndexedDataset, part: str) -> list[int]:
    chosen = indices_of(data, part)
    if not chosen:
        raise InputError(f"{data.path} is too small to have a part {part!r}: none of its {len(data)} pictures is in it")
    return chosen


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
