"""The order of work: every method's first picture, then the rest, with what is known already left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from toolkit.bench.inversions import Contender
from toolkit.bench.plan import Piece, Rates, sentence
from toolkit.bench.rows import Cell
from toolkit.bench.store import Record
from toolkit.bench.work import Work
from toolkit.errors import Interrupted
from toolkit.training.stop_signals import StopSignals

Say = Callable[[str], None]


class Progress(Protocol):
    """Hears how the run goes on."""

    def note(self, text: str) -> None:
        """Something begins that takes a while, or is worth knowing."""
        ...

    def step(self, method: str, done: int, total: int, cell: str, error: str | None) -> None:
        """A method's cell is done (or was before); `done` and `total` are the method's."""
        ...


class Job(NamedTuple):
    """One cell of one protocol for one method."""

    work: Work
    contender: Contender
    cell: Cell

    @property
    def piece(self) -> Piece:
        """What its cost is estimated by."""
        return self.contender.name, self.work.protocol.title


class Engine(Protocol):
    """Where cells are worked on; each is written down when it is yielded."""

    width: int
    """Cells at once."""

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Record]]:
        """Work on jobs, in any order, and yield each with its record as soon as it is known."""
        ...


class LocalEngine:
    """One after the other, in this process."""

    width = 1

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Record]]:
        """Work on jobs in their order."""
        for job in jobs:
            yield job, job.work.keep(job.contender, job.cell, job.work.measure(job.contender, job.cell))


class Schedule:
    """All cells of a run, and how far they are."""

    def __init__(
        self, works: Sequence[Work], contenders: Sequence[Contender], progress: Progress | None, say: Say
    ) -> None:
        """Collect the work: method by method, picture by picture, so that a head is looked at by all protocols."""
        self._works, self._contenders, self._progress, self._say = works, contenders, progress, say
        pairs = sorted(((cell.uses[0], place) for place, work in enumerate(works) for cell in work.task.cells))
        by_input = [{cell.uses[0]: cell for cell in work.task.cells} for work in works]
        self._jobs = [Job(works[place], each, by_input[place][index]) for each in contenders for index, place in pairs]
        self._found: dict[tuple[str, str, str], Record] = {}
        self._done = dict.fromkeys((contender.name for contender in contenders), 0)

    def run(self, engine: Engine) -> dict[str, dict[str, list[Record]]]:
        """Do what is not known yet; records by protocol and method, in the cells' order.

        Raises:
            Interrupted: A signal came; what was in hand is finished and kept.
        """
        rates, pending = Rates(self._works[0].store), []
        for job in self._jobs:
            known = job.work.known(job.contender, job.cell)
            if known is None:
                pending.append(job)
            else:
                self._settle(job, known)
        first = {job.piece: job for job in reversed(pending) if not rates.seconds(job.piece)}
        starters = [job for job in pending if first.get(job.piece) is job]
        rest = [job for job in pending if first.get(job.piece) is not job]
        with StopSignals() as stop:
            if starters:
                self._say("the first picture of every method: after it the time that the rest takes is known")
            self._work_on(starters, engine, rates, stop)
            if rest:
                self._say(sentence(rates.forecast(job.piece for job in rest), len(rest), engine.width))
            self._work_on(rest, engine, rates, stop)
        return {
            work.protocol.title: {
                each.name: [self._found[work.protocol.title, each.name, cell.id] for cell in work.task.cells]
                for each in self._contenders
            }
            for work in self._works
        }

    def _work_on(self, jobs: Sequence[Job], engine: Engine, rates: Rates, stop: StopSignals) -> None:
        for job, record in engine.run(jobs):
            if record.get("took") is not None:
                rates.add(job.piece, record["took"])
            self._settle(job, record)
            if stop.received is not None:
                raise Interrupted(
                    f"interrupted after {sum(self._done.values())} of {len(self._jobs)} cells; "
                    "the same command goes on from there",
                    stop.received,
                )

    def _settle(self, job: Job, record: Record) -> None:
        name = job.contender.name
        self._found[job.work.protocol.title, name, job.cell.id] = record
        self._done[name] += 1
        if self._progress is not None:
            total = len(self._jobs) // len(self._contenders)
            self._progress.step(name, self._done[name], total, job.cell.id, record["error"])
