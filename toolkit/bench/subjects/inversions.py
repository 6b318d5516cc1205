"""Inversions of a bench run: made once per method and picture, kept, and reused by every protocol."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.bench.records.store import Store, file_name, key_of
from toolkit.bench.records.units import InversionRecord
from toolkit.bench.records.views import ViewFiles
from toolkit.bench.subjects.heads import Head
from toolkit.bench.subjects.inverted_head import InvertedHead
from toolkit.bench.subjects.keeping import Keep, save_kept
from toolkit.bench.subjects.methods import MACHINE, TIME_LIMIT, ComparedMethod, HeadSource, UnitError
from toolkit.devices import chosen_arithmetic
from toolkit.errors import InputError, KilledError, OutputError, OverTimeError, PluginError
from toolkit.files import atomic_folder
from toolkit.inversion import Inversion
from toolkit.isolation.guard import TimeLimited, make_inversion
from toolkit.isolation.messages import InversionRequest, Made, told
from toolkit.isolation.watch import GeneratorWatch
from toolkit.machine_failures import Kind, failure_named, machine_failure, reason

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, Item


class Inversions:
    """The inversions below a run's folder and the record of how each went."""

    def __init__(
        self,
        folder: Path,
        generator: Generator,
        seed: int,
        retry_failed: bool = False,
        writes: bool = True,
        keep: Keep = "exact",
    ) -> None:
        """Open the folder (`writes`: see `Store`; `keep`: how much of an inversion is kept)."""
        self.keep: Keep = keep
        self._folder, self.generator, self._seed, self._retry = folder, generator, seed, retry_failed
        self.views = ViewFiles(folder.parent / "frames")
        self.store = Store(folder / "inversions.jsonl", InversionRecord, writes)
        self._warm: set[str] = set()
        self._watch: GeneratorWatch | None = None
        self.undone: dict[tuple[str, str], list[str]] = {}
        """By method and picture: what it changed, and was put back."""
        self._last: tuple[str, InvertedHead] | None = None

    def get(self, method: ComparedMethod, item: Item) -> Inversion:
        """The inversion of an item: from the disk, or made now.

        Raises:
            UnitError: The method failed on it (now or before).
            OutputError: The folder cannot be written.
        """
        key = self.key(method, item)
        known = self.store.get(key)
        if known is not None:
            self.undone[method.name, item.id] = list(known.undone)
        if known is not None and known.error is not None and not self._is_tried_again(known, method):
            raise UnitError("invert" if known.time_limit is None else TIME_LIMIT, known.error)
        if known is not None and known.error is None:
            with suppress(InputError):  # removed or damaged since, or not kept: made again
                return Inversion.load(self._folder / known.folder)
        return self._make(method, item, key)

    def _is_tried_again(self, known: InversionRecord, method: ComparedMethod) -> bool:
        """Whether a failure that is written down may have been the machine's, or the limit's of another run."""
        limit = method.inverter.time_limit if isinstance(method.inverter, TimeLimited) else None
        longer = known.time_limit is not None and (limit is None or limit > known.time_limit)
        return self._retry or longer or failure_named(known.error or "") is not None

    def head(self, method: ComparedMethod, item: Item) -> Head:
        """The head that a method makes of an item, or made elsewhere; raises as `get` does."""
        if isinstance(method.inverter, HeadSource):
            return method.inverter.head(item)
        key = self.key(method, item)
        if self._last is None or self._last[0] != key:
            self._last = (key, InvertedHead(self.get(method, item), self.generator))
        return self._last[1]

    def record(self, method: ComparedMethod, item: Item) -> InversionRecord | None:
        """How the inversion of an item went: seconds, peak memory, whether the method was warm."""
        if isinstance(method.inverter, HeadSource):
            return method.inverter.record(item)
        return self.store.get(self.key(method, item))

    def key(self, method: ComparedMethod, item: Item) -> str:
        """Identity of an inversion: method, its settings, generator, picture, camera, seed (not the picture's name)."""
        picture = hashlib.sha256(item.image.contiguous().numpy().tobytes()).hexdigest()
        camera = item.camera.label.flatten().tolist()
        return key_of(method.identity, self.generator.spec.fingerprint, picture, camera, self._seed, *self.precision)

    @property
    def precision(self) -> tuple[str, ...]:
        """What sets apart results on inversions that are kept in 16 bit, and those of less exact arithmetic."""
        return (*(("half",) if self.keep == "half" else ()), *chosen_arithmetic())

    def _make(self, method: ComparedMethod, item: Item, key: str) -> Inversion:
        inverter = method.inverter
        if inverter is None or isinstance(inverter, HeadSource):
            raise UnitError("invert", f"{method.name} has renders or records only, no inversions")
        name = f"{file_name(method.name)}/{file_name(item.id, key)}"
        record = InversionRecord(method=method.name, item=item.id, warm=method.name in self._warm, folder=name)
        undone = self.undone[method.name, item.id] = []
        try:
            made = self._made(method, item, key, undone)
            kept = self._keep(made.inversion, self._folder / name)
        except (OutputError, UnitError):
            raise
        except KilledError as error:  # by somebody else, or for want of memory: says nothing of the method
            raise UnitError("worker", str(error)) from error
        except OverTimeError as error:
            failed = {
                "error": str(error),
                "time_limit": inverter.time_limit if isinstance(inverter, TimeLimited) else None,
                "undone": undone,
            }
            self.store.append(key, record.model_copy(update=failed))
            raise UnitError(TIME_LIMIT, str(error)) from error
        except (Exception, SystemExit) as error:  # whatever a method raises costs its own unit only
            refuse_machine_failure(error, self._folder)
            message = str(error) if isinstance(error, PluginError) else told(error)
            self.store.append(key, record.model_copy(update={"error": message, "undone": undone}))
            raise UnitError("invert", message) from error
        self._warm.add(method.name)
        found = {"error": None, "seconds": made.effort.seconds, "peak_memory": made.effort.peak_mib, "undone": undone}
        self.store.append(key, InversionRecord(**{**record.as_json(), **found}))
        return Inversion.load(self._folder / name) if kept else made.inversion

    def _made(self, method: ComparedMethod, item: Item, key: str, undone: list[str]) -> Made:
        device = self.generator.device
        if self._watch is None:  # nothing has been inverted yet, and whoever built methods has put back their changes
            self._watch = GeneratorWatch(self.generator)
        image, camera = item.image[None].to(device), item.camera.to(device)
        seed = int(key[:12], 16)  # of this inversion alone: results do not depend on order or workers
        request = InversionRequest(method.renamed_from or method.name, image, camera, seed)
        return make_inversion(method.inverter, request, self.generator, self._watch, undone)

    def _keep(self, inversion: Inversion, folder: Path) -> bool:
        """Write an inversion down as far as it is kept; whether it can be read again."""
        with atomic_folder(folder) as unfinished:
            return save_kept(inversion, unfinished, self.generator, self.keep)


def refuse_machine_failure(error: BaseException, folder: Path) -> None:
    """Keep the machine's failures apart from a method's: they are written down nowhere, and tried again.

    Args:
        error: What a unit of work raised.
        folder: The run's, for the sentence.

    Raises:
        OutputError: The disk is full or broken: no other unit could be written either.
        UnitError: There is no memory, or the device failed: other units may go well.
    """
    kind = machine_failure(error)
    if kind == Kind.DISK:
        raise OutputError(
            f"cannot go on in {folder}: {reason(error)}; what is done is kept, the same command goes on from there"
        ) from error
    if kind is not None:
        raise UnitError(MACHINE, f"the machine's {kind}: {reason(error)}") from error
