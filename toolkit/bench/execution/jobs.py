"""The pieces of a run's work: a method's cell, or a piece of a protocol's groundwork."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from toolkit.bench.execution.plan import Kind
from toolkit.bench.execution.work import Groundwork, Work
from toolkit.bench.protocols.rows import Cell
from toolkit.bench.records.store import Record, key_of
from toolkit.bench.subjects.inversions import CellError, Contender
from toolkit.errors import OutputError

Address = tuple[str, str | None, str]
"""What a job is found by in another process: protocol, method (None: groundwork), item."""


class Job(ABC):
    """A piece of work, which can be done anywhere; the process that runs the bench writes it down."""

    work: Work
    stage = "score"
    """What is said to have failed where an error does not tell."""

    @property
    @abstractmethod
    def owner(self) -> str:
        """Under whose name its progress and its cost are told: the method's or the groundwork's."""

    @property
    @abstractmethod
    def address(self) -> Address:
        """What `job_at` finds it by."""

    @property
    def item(self) -> str:
        """What the owner does with it: a picture, or a piece of the groundwork."""
        return self.address[-1]

    @property
    @abstractmethod
    def shard(self) -> Hashable:
        """Jobs that share it are done by one worker, one after the other."""

    @property
    def kind(self) -> Kind:
        """What its cost is estimated by."""
        return self.owner, self.work.protocol.title

    @property
    def size(self) -> int:
        """How much it is beside others of its kind."""
        return 1

    @property
    @abstractmethod
    def key(self) -> str:
        """Its identity, over everything that decides its result."""

    @abstractmethod
    def known(self) -> Record | None:
        """Its record, unless it has to be done (again)."""

    @abstractmethod
    def make(self) -> Record:
        """Do it; what its record holds of the result."""

    def measure(self) -> Record:
        """Do it, whatever happens; its record, not yet written down.

        Raises:
            OutputError: The run's folder cannot be written.
        """
        started = time.perf_counter()
        try:
            facts = {**self.facts(error=None), **self.make()}
        except OutputError:
            raise
        except CellError as error:
            facts = self.facts(error=str(error), stage=error.stage)
        except Exception as error:  # rendering a strange inversion may raise anything: it costs this piece
            facts = self.facts(error=f"{type(error).__name__}: {error}".splitlines()[0], stage=self.stage)
        facts["took"] = round(time.perf_counter() - started, 3)
        return facts

    def facts(self, **known: str | None) -> Record:
        """What every record holds, and what is `known` besides."""
        protocol, method, item = self.address
        return {"protocol": protocol, "method": method, "item": item, **known}

    def keep(self, facts: Record) -> Record:
        """Write its record down."""
        return self.work.store.append(self.key, facts)


@dataclass(frozen=True)
class CellJob(Job):
    """One cell of one protocol for one method."""

    work: Work
    contender: Contender
    cell: Cell

    @property
    def owner(self) -> str:
        """The method."""
        return self.contender.name

    @property
    def address(self) -> Address:
        """Protocol, method and picture."""
        return self.work.protocol.title, self.contender.name, self.cell.id

    @property
    def shard(self) -> Hashable:
        """Method and input picture: what shares an inversion."""
        return self.contender.name, self.cell.uses[0]

    @property
    def key(self) -> str:
        """Identity, the pictures' files included."""
        work, protocol, task = self.work, self.work.protocol, self.work.task
        count = len(task.cells) if protocol.kind == "fid360" else 0  # yaws follow from the number of pictures
        pictures = [work.digests[index] for index in self.cell.uses]
        return key_of(self.contender.identity, work.generator.spec.fingerprint, protocol.title, protocol.digest,
                      sorted(task.metrics.samples), task.metrics.networks, self.cell.id, pictures, count)  # fmt: skip

    def known(self) -> Record | None:
        """The cell's record, unless it has to be made again.

        Failures are repeated where asked to, and always where only reading failed.
        """
        found = self.work.store.get(self.key)
        if found is None or found["error"] is None:
            return found if found is not None and self.work.task.holds(found) else None
        return None if self.work.request.retry_failed or found["stage"] == "read" else found

    def make(self) -> Record:
        """Score the cell."""
        work = self.work
        return {"scores": work.task.measure(self.contender, self.cell, work.inversions, work.generator)}


@dataclass(frozen=True)
class GroundworkJob(Job):
    """One piece of what a protocol needs and no method does."""

    work: Work
    groundwork: Groundwork
    piece: str
    stage = "groundwork"

    @property
    def owner(self) -> str:
        """The groundwork's name."""
        return self.groundwork.name

    @property
    def address(self) -> Address:
        """Protocol and piece."""
        return self.work.protocol.title, None, self.piece

    @property
    def shard(self) -> Hashable:
        """Nothing is shared with another piece."""
        return self.address

    @property
    def size(self) -> int:
        """As the groundwork counts it."""
        return self.groundwork.pieces[self.piece]

    @property
    def key(self) -> str:
        """Identity, whichever protocol asked for it."""
        return key_of("groundwork", self.groundwork.name, self.groundwork.key(self.piece))

    def known(self) -> Record | None:
        """A record where the piece is there, or where it failed and is not to be tried again."""
        if self.groundwork.holds(self.piece):
            return self.facts(error=None)
        found = self.work.store.get(self.key)
        return None if found is None or found["error"] is None or self.work.request.retry_failed else found

    def make(self) -> Record:
        """Make the piece, which the groundwork keeps."""
        self.groundwork.make(self.piece)
        return {}

    def facts(self, **known: str | None) -> Record:
        """The groundwork's name stands in the place of a method, and how large the piece is besides."""
        return {**super().facts(), "groundwork": self.groundwork.name, "size": self.size, **known}


def jobs_of(work: Work) -> list[GroundworkJob]:
    """The pieces of a protocol's groundwork."""
    groundwork = work.task.groundwork
    return [] if groundwork is None else [GroundworkJob(work, groundwork, piece) for piece in groundwork.pieces]


def job_at(address: Address, works: Mapping[str, Work], contenders: Mapping[str, Contender]) -> Job:
    """The job of an address.

    Args:
        address: Of a job of the same run, in this process or another one.
        works: By protocol.
        contenders: By method.
    """
    protocol, method, item = address
    work = works[protocol]
    if method is None:
        return next(job for job in jobs_of(work) if job.piece == item)
    return CellJob(work, contenders[method], next(cell for cell in work.task.cells if cell.id == item))
