"""Running a comparison: every method on every cell of every protocol, each result kept as soon as it is known."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from toolkit.bench.data import effective_limit, open_data
from toolkit.bench.features import distribution_names
from toolkit.bench.fid360 import Fid360
from toolkit.bench.gallery import complete_frames
from toolkit.bench.gt360 import GroundTruth360
from toolkit.bench.inversions import CellError, Contender, Inversions
from toolkit.bench.multiview import MultiView
from toolkit.bench.outside import wanted_renders
from toolkit.bench.plan import Rates, sentence
from toolkit.bench.protocol import BenchProtocol
from toolkit.bench.reconstruction import Reconstruction
from toolkit.bench.results import part_of, write_results
from toolkit.bench.rows import Cell, Frame
from toolkit.bench.scoring import OpenMetrics, open_metrics
from toolkit.bench.speed import Speed
from toolkit.bench.store import Record, Store, key_of
from toolkit.data import ImageFolder
from toolkit.errors import InputError, Interrupted, OutputError
from toolkit.files import atomic_write, check_folder_place
from toolkit.training.stop_signals import StopSignals

if TYPE_CHECKING:
    from toolkit.interfaces import Generator

CELLS_FILE, WANTED_FILE = "cells.jsonl", "wanted.json"


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


class Progress(Protocol):
    """Hears how the run goes on."""

    def note(self, text: str) -> None:
        """Something begins that takes a while, or is worth knowing."""
        ...

    def step(self, method: str, done: int, total: int, cell: str, error: str | None) -> None:
        """A method's cell is done (or was before); `done` and `total` are the method's."""
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
        return Path(self.data).resolve().stem if Path(self.data).exists() else f"{self.data}-{self.domain}"


def run_bench(
    request: BenchRequest, generator: Generator, contenders: Sequence[Contender], progress: Progress | None = None
) -> dict[str, Any]:
    """Run, or go on with, one protocol (see `run_suite`); what hinders it is an error."""
    return run_suite([request], generator, contenders, progress)


def run_suite(
    requests: Sequence[BenchRequest],
    generator: Generator,
    contenders: Sequence[Contender],
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run, or go on with, a comparison by several protocols and write results, tables and report into its folder.

    Every method's first picture comes first, in all protocols: after that the time left is known.

    Args:
        requests: One per protocol; they differ in nothing else.
        generator: What all methods invert into.
        contenders: The methods.
        progress: Hears of every cell.

    Returns:
        What results.json holds.

    Raises:
        InputError: The data can serve none of the protocols, or no metric is available.
        OutputError: The folder cannot be written.
        Interrupted: A signal came; the cell in hand was finished, everything is kept.
    """
    first = requests[0]
    check_folder_place(first.out)
    say = progress.note if progress is not None else lambda text: None
    works, left_out = _open_works(requests, generator, say)
    _write_wanted(first.out, works)
    records = _run_all(works, contenders, progress, say)
    parts = []
    for work in works:
        mine = records[work.protocol.title]
        frame = Frame(work.protocol.title, generator.spec.world, first.data_name, work.protocol.seed)
        say(f"numbers of {work.protocol.title}")
        parts.append(part_of(frame, work.request, work.task, generator, contenders, mine, len(work.data)))
    heads = complete_frames([(work.task.cells, work.data, work.inversions) for work in works], contenders, parts, say)
    return write_results(first, generator, parts, heads, left_out)


@dataclass(frozen=True)
class Work:
    """A protocol of this run with everything that it needs."""

    request: BenchRequest
    generator: Generator
    task: Task
    data: ImageFolder
    store: Store
    inversions: Inversions

    @property
    def protocol(self) -> BenchProtocol:
        """What is measured."""
        return self.request.protocol

    def key(self, contender: Contender, cell: Cell) -> str:
        """Identity of a piece of work, over everything that decides its result but the pictures' pixels."""
        protocol, task = self.protocol, self.task
        count = len(task.cells) if protocol.kind == "fid360" else 0  # yaws follow from the number of pictures
        seen = [[self.data.names[index], self.data.labels[index].tolist()] for index in cell.uses]
        pictures = hashlib.sha256(json.dumps(seen).encode()).hexdigest()
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

    def make(self, contender: Contender, cell: Cell) -> Record:
        """Work on a cell and write its record down."""
        facts: Record = {"protocol": self.protocol.title, "method": contender.name, "item": cell.id}
        started = time.perf_counter()
        try:
            scores = self.task.measure(contender, cell, self.inversions, self.generator)
            facts |= {"error": None, "scores": scores}
        except OutputError:
            raise
        except CellError as error:
            facts |= {"error": str(error), "stage": error.stage}
        except Exception as error:  # rendering a strange inversion may raise anything: it costs this cell
            facts |= {"error": f"{type(error).__name__}: {error}".splitlines()[0], "stage": "score"}
        facts["took"] = round(time.perf_counter() - started, 3)
        return self.store.append(self.key(contender, cell), facts)


def _open_works(requests: Sequence[BenchRequest], generator: Generator, say: Any) -> tuple[list[Work], list[Record]]:
    """The protocols that can be run, and why the others cannot; a single one that cannot is an error."""
    first, spec = requests[0], generator.spec
    possible: list[tuple[BenchRequest, OpenMetrics]] = []
    left_out: list[Record] = []

    def leave(request: BenchRequest, error: InputError) -> None:
        if len(requests) == 1:
            raise error
        left_out.append({"protocol": request.protocol.title, "data": request.data_name, "reason": str(error)})

    for request in requests:
        metrics = open_metrics(request.protocol.metrics, request.backend, spec.world, spec.image_size)
        try:
            if request.protocol.kind == "fid360":
                distribution_names(metrics)  # before pictures are made
            possible.append((request, metrics))
        except InputError as error:
            leave(request, error)
    views = [view for request, _ in possible for view in request.protocol.views]
    if not Path(first.data).exists():
        say(f"pictures of {first.data} (those that are not there yet are made; kept for the next time)")
    data = open_data(first.data, views, spec, first.limit, first.domain)
    store, shared, works = Store(first.out / CELLS_FILE), dict[int, Inversions](), []
    for request, metrics in possible:
        seed = request.protocol.seed
        if seed not in shared:
            shared[seed] = Inversions(first.out / "inversions", generator, seed, first.retry_failed)
        try:
            task = _open_task(request, data, metrics, generator)
            works.append(Work(request, generator, task, data, store, shared[seed]))
        except InputError as error:
            leave(request, error)
    if not works:
        raise InputError("no protocol can be run: " + "; ".join(entry["reason"] for entry in left_out))
    return works, left_out


def _write_wanted(out: Path, works: Sequence[Work]) -> None:
    """Say which renders a method from elsewhere has to bring (see `toolkit.bench.outside`)."""
    with atomic_write(out / WANTED_FILE) as path:
        path.write_text(json.dumps({"renders": wanted_renders(works)}) + "\n", encoding="utf-8")


def _open_task(request: BenchRequest, data: ImageFolder, metrics: OpenMetrics, generator: Generator) -> Task:
    protocol, limit = request.protocol, effective_limit(request.data, request.limit)
    features = request.out / "features"
    if protocol.kind == "reconstruction":
        return Reconstruction(data, metrics, limit, protocol)
    if protocol.kind == "gt360":
        return GroundTruth360(data, metrics, limit, protocol)
    if protocol.kind == "multiview":
        return MultiView(data, metrics, limit, protocol, features)
    if protocol.kind == "speed":
        return Speed(data, metrics, limit, protocol)
    return Fid360(data, metrics, limit, protocol, features, generator)


_Job = tuple[Work, Contender, Cell]


def _run_all(
    works: Sequence[Work], contenders: Sequence[Contender], progress: Progress | None, say: Any
) -> dict[str, dict[str, list[Record]]]:
    """Records by protocol and method, in the cells' order."""
    found: dict[tuple[str, str, str], Record] = {}
    total = sum(len(work.task.cells) for work in works)
    rates, done = Rates(works[0].store), dict.fromkeys((contender.name for contender in contenders), 0)

    def settle(job: _Job, record: Record) -> None:
        work, contender, cell = job
        found[work.protocol.title, contender.name, cell.id] = record
        done[contender.name] += 1
        if progress is not None:
            progress.step(contender.name, done[contender.name], total, cell.id, record["error"])

    with StopSignals() as stop:

        def work_on(jobs: list[_Job]) -> None:
            for job in jobs:
                work, contender, cell = job
                record = work.make(contender, cell)
                rates.add((contender.name, work.protocol.title), record["took"])
                settle(job, record)
                if stop.received is not None:
                    raise Interrupted(
                        f"interrupted after {sum(done.values())} of {total * len(contenders)} cells; "
                        "the same command goes on from there",
                        stop.received,
                    )

        pending = []
        for job in _jobs(works, contenders):
            known = job[0].known(job[1], job[2])
            if known is None:
                pending.append(job)
            else:
                settle(job, known)
        starters = [job for job in pending if not rates.seconds((job[1].name, job[0].protocol.title))]
        starters = list({(job[1].name, job[0].protocol.title): job for job in reversed(starters)}.values())[::-1]
        if starters:
            say("the first picture of every method: after it the time that the rest takes is known")
        work_on(starters)
        rest = [job for job in pending if job not in starters]
        if rest:
            say(sentence(rates.forecast((job[1].name, job[0].protocol.title) for job in rest), len(rest)))
        work_on(rest)
    return {
        work.protocol.title: {
            contender.name: [found[work.protocol.title, contender.name, cell.id] for cell in work.task.cells]
            for contender in contenders
        }
        for work in works
    }


def _jobs(works: Sequence[Work], contenders: Sequence[Contender]) -> Iterator[_Job]:
    """All cells, method by method and protocol by protocol."""
    return ((work, contender, cell) for contender in contenders for work in works for cell in work.task.cells)
