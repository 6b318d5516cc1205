"""The order of work: every method's first picture, then the rest, with what is known already left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple, Protocol

from toolkit.bench.execution.jobs import Address, CellJob, Job, jobs_of
from toolkit.bench.execution.plan import Forecast, Kind, Rates
from toolkit.bench.execution.work import Work
from toolkit.bench.records.store import Record
from toolkit.bench.subjects.inversions import Contender
from toolkit.errors import Interrupted
from toolkit.training.stop_signals import StopSignals

Say = Callable[[str], None]


class Progress(Protocol):
    """Hears how the run goes on."""

    def note(self, text: str) -> None:
        """Something begins that takes a while, or is worth knowing."""
        ...

    def step(self, name: str, done: int, total: int, item: str, error: str | None) -> None:
        """A piece is done (or was before); `done` and `total` are those of the method, or groundwork, of this name."""
        ...


class Engine(Protocol):
    """Where jobs are done; each is written down when it is yielded."""

    name: str
    width: int
    """Jobs at once."""

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Record]]:
        """Work on jobs, in any order, and yield each with its record as soon as it is known."""
        ...


class LocalEngine:
    """One after the other, in this process."""

    name, width = "local", 1

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Record]]:
        """Work on jobs in their order."""
        for job in jobs:
            yield job, job.keep(job.measure())


class Found(NamedTuple):
    """The records of one protocol."""

    cells: dict[str, list[Record]]
    """By method, in the cells' order."""
    groundwork: list[Record]
    """Of its pieces."""


class Schedule:
    """All jobs of a run, and how far they are."""

    def __init__(
        self, works: Sequence[Work], contenders: Sequence[Contender], progress: Progress | None, say: Say
    ) -> None:
        """Collect the work: method by method, picture by picture, so that a head is looked at by all protocols.

        Groundwork comes last: its small pieces fill the workers up to the end.
        """
        self._works, self._contenders, self._progress, self._say = works, contenders, progress, say
        pairs = sorted(((cell.uses[0], place) for place, work in enumerate(works) for cell in work.task.cells))
        by_input = [{cell.uses[0]: cell for cell in work.task.cells} for work in works]
        self._jobs: list[Job] = [
            CellJob(works[place], each, by_input[place][index]) for each in contenders for index, place in pairs
        ]
        self._jobs += [job for work in works for job in jobs_of(work)]
        self._rates = Rates(works[0].store)
        self._found: dict[Address, Record] = {}
        self._totals = Counter(job.owner for job in self._jobs)
        self._done: Counter[str] = Counter()

    def run(self, engine: Engine) -> dict[str, Found]:
        """Do what is not known yet; records by protocol.

        Raises:
            Interrupted: A signal came; what was in hand is finished and kept.
        """
        with StopSignals() as stop:
            rest, forecast = self._begin(engine, stop)
            if rest:
                self._say(forecast.sentence())
            self._work_on(rest, engine, stop)
        return {work.protocol.title: self._found_of(work) for work in self._works}

    def rehearse(self, engine: Engine) -> Forecast:
        """Do one piece of every kind that was never timed, and say how long the rest takes.

        Raises:
            Interrupted: A signal came; what was in hand is finished and kept.
        """
        with StopSignals() as stop:
            return self._begin(engine, stop)[1]

    def _begin(self, engine: Engine, stop: StopSignals) -> tuple[list[Job], Forecast]:
        """Find what is known and do the first pieces; the others, and what they take."""
        pending = []
        for job in self._jobs:
            known = job.known()
            if known is None:
                pending.append(job)
            else:
                self._settle(job, known)
        tried: set[Kind] = set()
        while starters := self._starters(pending, tried):
            if not tried:
                self._say("the first picture of every method: after it the time that the rest takes is known")
            self._work_on(list(starters.values()), engine, stop)
            pending = [job for job in pending if starters.get(job.kind) is not job]
            tried |= {kind for kind, job in starters.items() if self._found[job.address].get("stage") != "read"}
        return pending, self._rates.forecast(((job.kind, job.size) for job in pending), engine.width)

    def _starters(self, pending: Sequence[Job], tried: Collection[Kind]) -> dict[Kind, Job]:
        """The first job of each kind that was neither timed nor tried."""
        found: dict[Kind, Job] = {}
        for job in pending:
            if job.kind not in found and job.kind not in tried and self._rates.seconds(job.kind) is None:
                found[job.kind] = job
        return found

    def _found_of(self, work: Work) -> Found:
        title = work.protocol.title
        cells = {
            each.name: [self._found[title, each.name, cell.id] for cell in work.task.cells] for each in self._contenders
        }
        return Found(cells, [self._found[job.address] for job in jobs_of(work)])

    def _work_on(self, jobs: Sequence[Job], engine: Engine, stop: StopSignals) -> None:
        for job, record in engine.run(jobs):
            self._rates.learn(record)
            self._settle(job, record)
            if stop.received is not None:
                raise Interrupted(
                    f"interrupted after {self._done.total()} of {len(self._jobs)} pieces of work; "
                    "the same command goes on from there",
                    stop.received,
                )

    def _settle(self, job: Job, record: Record) -> None:
        self._found[job.address] = record
        self._done[job.owner] += 1
        if self._progress is not None:
            self._progress.step(job.owner, self._done[job.owner], self._totals[job.owner], job.item, record["error"])
