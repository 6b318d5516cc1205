"""The units of a run's work: a method on an item, or a piece of a protocol's precompute."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.bench.execution.rates import Kind
from toolkit.bench.execution.runs import ProtocolRun
from toolkit.bench.protocols.base import Precompute
from toolkit.bench.records.store import key_of
from toolkit.bench.records.units import CellRecord
from toolkit.bench.subjects.inputs import BenchItem, read_item
from toolkit.bench.subjects.inversions import refuse_machine_failure
from toolkit.bench.subjects.methods import TRIED_AGAIN, ComparedMethod, UnitError
from toolkit.data.prints import is_among
from toolkit.errors import OutputError
from toolkit.machine_failures import failure_named

Address = tuple[str, str | None, str]
"""What a unit is found by in another process: protocol, method (None: precompute), item."""


class Unit(ABC):
    """A unit of work, which can be done anywhere; the process that runs the bench writes it down."""

    run: ProtocolRun
    stage = "score"
    """What is said to have failed where an error does not tell."""

    @property
    @abstractmethod
    def owner(self) -> str:
        """The name that progress and cost are shown under: the method's or the precompute's."""

    @property
    @abstractmethod
    def address(self) -> Address:
        """What `unit_at` finds it by."""

    @property
    def item(self) -> str:
        """What the owner does with it: a picture, or a piece of the precompute."""
        return self.address[-1]

    @property
    @abstractmethod
    def shard(self) -> Hashable:
        """Units that share it are done by one worker, one after the other."""

    @property
    def kind(self) -> Kind:
        """What its cost is estimated by."""
        return self.owner, self.run.title

    @property
    def size(self) -> int:
        """Its amount of work, relative to others of its kind."""
        return 1

    @property
    @abstractmethod
    def key(self) -> str:
        """Its identity, over everything that decides its result."""

    @abstractmethod
    def known(self) -> CellRecord | None:
        """Its record, unless it has to be done (again)."""

    @abstractmethod
    def make(self) -> dict[str, Any]:
        """Do it; what its record holds of the result."""

    def measure(self) -> CellRecord:
        """Do it, whatever happens; its record, not yet written down.

        Raises:
            OutputError: The run's folder cannot be written.
        """
        started = time.perf_counter()
        try:
            found = self.record(error=None, **self.make())
        except OutputError:
            raise
        except UnitError as error:
            found = self.record(error=str(error), stage=error.stage)
        except Exception as error:  # rendering a strange inversion may raise anything: it costs this unit
            found = self._failure_of(error)
        return found.model_copy(update={"took": round(time.perf_counter() - started, 3)})

    def _failure_of(self, error: Exception) -> CellRecord:
        """The record of an error that was the unit's own; the machine's are told apart."""
        try:
            refuse_machine_failure(error, self.run.request.out)
        except UnitError as machines:
            return self.record(error=str(machines), stage=machines.stage)
        return self.record(error=f"{type(error).__name__}: {error}".splitlines()[0], stage=self.stage)

    def record(self, **known: Any) -> CellRecord:
        """A record of it that holds what is `known`."""
        protocol, method, item = self.address
        return CellRecord(protocol=protocol, method=method, item=item, **known)

    def keep(self, record: CellRecord) -> CellRecord:
        """Write its record down."""
        return self.run.store.append(self.key, record)


@dataclass(frozen=True)
class MethodUnit(Unit):
    """One method on one item of one protocol."""

    run: ProtocolRun
    method: ComparedMethod
    target: BenchItem

    @property
    def owner(self) -> str:
        """Name of the method that does the unit."""
        return self.method.name

    @property
    def address(self) -> Address:
        """Protocol, method and picture."""
        return self.run.title, self.method.name, self.target.id

    @property
    def shard(self) -> Hashable:
        """Method and input picture: what shares an inversion."""
        return self.method.name, self.target.uses[0]

    @property
    def key(self) -> str:
        """Identity, the pictures' files included."""
        run, protocol = self.run, self.run.protocol
        pictures = [run.digests[index] for index in self.target.uses]
        return key_of(
            self.method.identity, run.generator.spec.fingerprint, run.title, run.settings.digest,
            sorted(protocol.metrics.samples), protocol.metrics.networks, self.target.id, pictures, protocol.extent,
            *run.inversions.precision,
        )  # fmt: skip

    def known(self) -> CellRecord | None:
        """Its record, unless it has to be made again.

        Failures are repeated where asked to, and always where they say nothing of the method (see `TRIED_AGAIN`).
        """
        found = self.run.store.get(self.key)
        if found is None or found.error is None:
            return found if found is not None and self.run.protocol.holds(found) else None
        return None if self.run.request.retry_failed or is_tried_again(found) else found

    def record(self, **known: Any) -> CellRecord:
        """A record of it, with what the method changed and was put back."""
        undone = self.run.inversions.undone.get((self.method.name, self.target.id), [])
        return super().record(undone=undone, **known)

    def make(self) -> dict[str, Any]:
        """Its scores, and whether the method was trained on the picture."""
        scores = self.run.protocol.measure(self.method, self.target, self.run.inversions)
        prints = self.method.trained_on
        if prints is None:
            return {"scores": scores}
        picture = read_item(self.run.digests.data, self.target.uses[0])
        return {"scores": scores, "seen": is_among(prints, picture.image[None])}


@dataclass(frozen=True)
class PrecomputeUnit(Unit):
    """One piece of what a protocol needs and no method does."""

    run: ProtocolRun
    precompute: Precompute
    piece: str
    stage = "precompute"

    @property
    def owner(self) -> str:
        """Name of the precompute whose piece it makes."""
        return self.precompute.name

    @property
    def address(self) -> Address:
        """Where its record stands: protocol, no method, the piece."""
        return self.run.title, None, self.piece

    @property
    def shard(self) -> Hashable:
        """Nothing is shared with another piece."""
        return self.address

    @property
    def size(self) -> int:
        """As the precompute counts it."""
        return self.precompute.pieces[self.piece]

    @property
    def key(self) -> str:
        """Identity, whichever protocol asked for it (the first word is that of earlier versions)."""
        return key_of("groundwork", self.precompute.name, self.precompute.key(self.piece))

    def known(self) -> CellRecord | None:
        """A record where the piece is there, or where it failed and is not to be tried again."""
        if self.precompute.holds(self.piece):
            return self.record(error=None)
        found = self.run.store.get(self.key)
        if found is None or found.error is None or self.run.request.retry_failed or is_tried_again(found):
            return None
        return found

    def make(self) -> dict[str, Any]:
        """Make the piece, which the precompute keeps."""
        self.precompute.make(self.piece)
        return {}

    def record(self, **known: Any) -> CellRecord:
        """A record that names the precompute, and how large the piece is besides."""
        return super().record(precompute=self.precompute.name, size=self.size, **known)


def is_tried_again(record: CellRecord) -> bool:
    """Whether a failure says nothing of the method: the picture, a worker or the machine failed."""
    return record.stage in TRIED_AGAIN or (record.error is not None and failure_named(record.error) is not None)


def precompute_units(run: ProtocolRun) -> list[PrecomputeUnit]:
    """The pieces of a protocol's precompute."""
    precompute = run.protocol.precompute
    return [] if precompute is None else [PrecomputeUnit(run, precompute, piece) for piece in precompute.pieces]


def unit_at(address: Address, runs: Mapping[str, ProtocolRun], methods: Mapping[str, ComparedMethod]) -> Unit:
    """The unit of an address.

    Args:
        address: Of a unit of the same run, in this process or another one.
        runs: By protocol.
        methods: By name.
    """
    protocol, method, item = address
    run = runs[protocol]
    if method is None:
        return next(unit for unit in precompute_units(run) if unit.piece == item)
    return MethodUnit(run, methods[method], next(each for each in run.protocol.items if each.id == item))
