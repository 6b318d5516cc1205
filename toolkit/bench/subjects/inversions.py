"""Inversions of a bench run: made once per method and picture, kept, and reused by every protocol."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch

from toolkit.bench.records.frames import Frames
from toolkit.bench.records.store import Record, Store, key_of
from toolkit.bench.subjects.heads import Head, InvertedHead
from toolkit.errors import InputError, OutputError
from toolkit.files import atomic_folder
from toolkit.inversion import Inversion
from toolkit.metrics.effort import measured

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, Item, Method


class CellError(Exception):
    """A piece of work failed; it costs its cell of the table and is listed, the run goes on."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(message)
        self.stage = stage


@dataclass(frozen=True)
class Contender:
    """A method as it enters a comparison."""

    name: str
    method: Method | HeadSource
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the user set."""
    weights: str = ""
    """sha256 of the checkpoint that the user named."""

    @property
    def identity(self) -> list[Any]:
        """What an inversion depends on besides picture and generator."""
        return [self.name, dict(self.options), self.weights, str(getattr(self.method, "fingerprint", ""))]


@runtime_checkable
class HeadSource(Protocol):
    """In the place of a method: whoever has finished renders of an item instead of an inversion."""

    def head(self, item: Item) -> Head:
        """The renders of an item; raises CellError where there are none."""
        ...

    def record(self, item: Item) -> Record | None:
        """What was told about how an item's were made, in the words of `Inversions.record`."""
        ...


class Inversions:
    """The inversions below a run's folder and the record of how each went."""

    def __init__(
        self, folder: Path, generator: Generator, seed: int, retry_failed: bool = False, writes: bool = True
    ) -> None:
        """Open the folder (`writes`: see `Store`)."""
        self._folder, self.generator, self._seed, self._retry = folder, generator, seed, retry_failed
        self.frames = Frames(folder.parent / "frames")
        self.store = Store(folder / "inversions.jsonl", writes)
        self._warm: set[str] = set()
        self._last: tuple[str, InvertedHead] | None = None

    def get(self, contender: Contender, item: Item) -> Inversion:
        """The inversion of an item: from the disk, or made now.

        Raises:
            CellError: The method failed on it (now or before).
            OutputError: The folder cannot be written.
        """
        key = self.key(contender, item)
        known = self.store.get(key)
        if known is not None and known["error"] is not None and not self._retry:
            raise CellError("invert", known["error"])
        if known is not None and known["error"] is None:
            with suppress(InputError):  # removed or damaged since: made again
                return Inversion.load(self._folder / known["folder"])
        return self._make(contender, item, key)

    def head(self, contender: Contender, item: Item) -> Head:
        """The head that a method makes of an item, or made elsewhere; raises as `get` does."""
        if isinstance(contender.method, HeadSource):
            return contender.method.head(item)
        key = self.key(contender, item)
        if self._last is None or self._last[0] != key:
            self._last = (key, InvertedHead(self.get(contender, item), self.generator))
        return self._last[1]

    def record(self, contender: Contender, item: Item) -> Record | None:
        """How the inversion of an item went: seconds, peak memory, whether the method was warm."""
        if isinstance(contender.method, HeadSource):
            return contender.method.record(item)
        return self.store.get(self.key(contender, item))

    def key(self, contender: Contender, item: Item) -> str:
        """Identity of an inversion: method, its settings, generator, picture, camera, seed (not the picture's name)."""
        picture = hashlib.sha256(item.image.contiguous().numpy().tobytes()).hexdigest()
        camera = item.camera.label.flatten().tolist()
        return key_of(contender.identity, self.generator.spec.fingerprint, picture, camera, self._seed)

    def _make(self, contender: Contender, item: Item, key: str) -> Inversion:
        method = contender.method
        if isinstance(method, HeadSource):
            raise CellError("invert", f"{contender.name} has renders only, no inversions")
        device = self.generator.device
        name = f"{_file_name(contender.name)}/{_file_name(item.id)}-{key[:8]}"
        facts: Record = {"method": contender.name, "item": item.id, "warm": contender.name in self._warm,
                         "folder": name}  # fmt: skip
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(int(key[:12], 16))  # of this piece of work alone: order and sharding change nothing
            try:
                with measured(device) as effort:
                    inversion = method.invert(item.image[None].to(device), item.camera.to(device), self.generator)
                with atomic_folder(self._folder / name) as unfinished:
                    inversion.save(unfinished)
            except OutputError:
                raise
            except Exception as error:  # whatever a method raises costs its own cell only
                message = f"{type(error).__name__}: {error}".splitlines()[0]
                self.store.append(key, {**facts, "error": message})
                raise CellError("invert", message) from error
        self._warm.add(contender.name)
        self.store.append(key, {**facts, "error": None, "seconds": effort.seconds, "peak_memory": effort.peak_mib})
        return Inversion.load(self._folder / name)


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", text).strip(".") or "_"
