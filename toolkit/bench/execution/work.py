"""A protocol at work: what is asked for, the cells that it consists of, and what they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from toolkit.bench.protocols.protocol import BenchProtocol
from toolkit.bench.protocols.rows import Cell, Frame
from toolkit.bench.protocols.scoring import OpenMetrics
from toolkit.bench.records.store import Record, Store
from toolkit.bench.subjects.data import data_name
from toolkit.bench.subjects.inversions import Contender, Inversions
from toolkit.data import ImageFolder

if TYPE_CHECKING:
    from toolkit.interfaces import Generator


class Numbers(NamedTuple):
    """What a protocol's records amount to, as results hold it."""

    rows: list[Record]
    curves: Sequence[Record] = ()
    comparisons: Sequence[Record] = ()
    """Of methods, where they do not follow from values per item."""


class Groundwork(Protocol):
    """What a protocol needs and no method does, in pieces that can be made anywhere and in any order."""

    name: str
    """In the plural, as progress, forecasts and failures call it."""

    @property
    def pieces(self) -> Mapping[str, int]:
        """How large each piece is, by what it is called."""
        ...

    def key(self, piece: str) -> str:
        """Identity of a piece, over everything that decides its result."""
        ...

    def holds(self, piece: str) -> bool:
        """Whether a piece is there."""
        ...

    def make(self, piece: str) -> None:
        """Make a piece and keep it in the run's folder; whatever it raises costs the protocol's rows."""
        ...


class Task(Protocol):
    """A protocol at work: its cells, what is measured in one, and the rows over all."""

    cells: list[Cell]
    metrics: OpenMetrics

    @property
    def groundwork(self) -> Groundwork | None:
        """What has to be there before rows can be made; None where cells are enough."""
        ...

    @property
    def choices(self) -> Mapping[str, Any]:
        """What its numbers rest on beside the protocol's settings; results hold it."""
        ...

    def measure(self, contender: Contender, cell: Cell, inversions: Inversions, generator: Generator) -> list[Record]:
        """Work on one cell; raises CellError where that fails."""
        ...

    def holds(self, record: Record) -> bool:
        """Whether a record needs no repetition: all was read, and the files that it refers to are still there."""
        ...

    def numbers(self, frame: Frame, records: dict[str, list[Record]]) -> Numbers:
        """Rows, curves and comparisons from the records of each method's cells."""
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
