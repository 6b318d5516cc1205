"""A protocol at work: what is asked for, the cells that it consists of, and how one of them is made."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from toolkit.bench.data import data_name
from toolkit.bench.inversions import CellError, Contender, Inversions
from toolkit.bench.protocol import BenchProtocol
from toolkit.bench.rows import Cell, Frame
from toolkit.bench.scoring import OpenMetrics
from toolkit.bench.store import Record, Store, key_of
from toolkit.data import ImageFolder
from toolkit.errors import OutputError

if TYPE_CHECKING:
    from toolkit.interfaces import Generator


class Task(Protocol):
    """A protocol at work: its cells, what is measured in one, and the rows over all."""

    cells: list[Cell]
    metrics: OpenMetrics

    def measure(self, contender: Contender, cell: Cell, inversions: Inversions, generator: Generator) -> list[Record]:
        """Work on one cell; raises CellError where that fails."""
        ...

    def holds(self, record: Record) -> bool:
        """Whether a record needs no repetition: all was read, and the files that it refers to are still there."""
        ...

    def rows(self, frame: Frame, records: dict[str, list[Record]]) -> tuple[list[Record], list[Record]]:
        """Rows and curves from the records of each method's cells."""
        ...


@dataclass(frozen=True)
class BenchRequest:
    """What is to be compared, on what, how."""

    protocol: BenchProtocol
    data: str
    out: Path
    limit: int | None = None
    backend: str = "auto"
    domain: str = "wild"
    retry_failed: bool = False
    broken_methods: dict[str, str] = field(default_factory=dict)
    """Methods that were asked for and could not be built, with the reason: listed, not run."""
    command: str = ""
    """How to get these results again, for the report."""

    @property
    def data_name(self) -> str:
        """What results call the data set: its folder's name, or its own and the domain."""
        return data_name(self.data, self.domain)


class Digests(dict[int, str]):
    """What the files of each item are, by index; each is read once (see `ImageFolder.digest`)."""

    def __init__(self, data: ImageFolder) -> None:
        """Read nothing yet."""
        super().__init__()
        self.data = data

    def __missing__(self, index: int) -> str:
        """Read an item's files."""
        found = self[index] = self.data.digest(index)
        return found


@dataclass(frozen=True, eq=False)
class Work:
    """A protocol of this run with everything that it needs."""

    request: BenchRequest
    generator: Generator
    task: Task
    digests: Digests
    store: Store
    inversions: Inversions

    @property
    def protocol(self) -> BenchProtocol:
        """What is measured."""
        return self.request.protocol

    def key(self, contender: Contender, cell: Cell) -> str:
        """Identity of a piece of work, over everything that decides its result, the pictures' files included."""
        protocol, task = self.protocol, self.task
        count = len(task.cells) if protocol.kind == "fid360" else 0  # yaws follow from the number of pictures
        pictures = [self.digests[index] for index in cell.uses]
        return key_of(contender.identity, self.generator.spec.fingerprint, protocol.title, protocol.digest,
                      sorted(task.metrics.samples), cell.id, pictures, count)  # fmt: skip

    def known(self, contender: Contender, cell: Cell) -> Record | None:
        """The record of a cell, unless it has to be made again.

        Failures are repeated where asked to, and always where only reading failed.
        """
        found = self.store.get(self.key(contender, cell))
        if found is None or found["error"] is None:
            return found if found is not None and self.task.holds(found) else None
        return None if self.request.retry_failed or found["stage"] == "read" else found

    def measure(self, contender: Contender, cell: Cell) -> Record:
        """Work on a cell; its record, not yet written down.

        Raises:
            OutputError: The run's folder cannot be written.
        """
        started = time.perf_counter()
        try:
            facts = self.facts(contender, cell, error=None)
            facts["scores"] = self.task.measure(contender, cell, self.inversions, self.generator)
        except OutputError:
            raise
        except CellError as error:
            facts = self.facts(contender, cell, error=str(error), stage=error.stage)
        except Exception as error:  # rendering a strange inversion may raise anything: it costs this cell
            message = f"{type(error).__name__}: {error}".splitlines()[0]
            facts = self.facts(contender, cell, error=message, stage="score")
        facts["took"] = round(time.perf_counter() - started, 3)
        return facts

    def facts(self, contender: Contender, cell: Cell, **known: str | None) -> Record:
        """What every record of a cell holds, and what is `known` besides."""
        return {"protocol": self.protocol.title, "method": contender.name, "item": cell.id, **known}

    def keep(self, contender: Contender, cell: Cell, facts: Record) -> Record:
        """Write a cell's record down."""
        return self.store.append(self.key(contender, cell), facts)
