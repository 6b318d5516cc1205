"""The order of work: every method's first picture, then the rest. Units whose results are known are not done again."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, Protocol

from toolkit.bench.execution.rates import Kind, Rates
from toolkit.bench.execution.runs import ProtocolRun, Say
from toolkit.bench.execution.units import Address, MethodUnit, Unit, precompute_units
from toolkit.bench.records.units import CellRecord
from toolkit.bench.subjects.methods import ComparedMethod
from toolkit.errors import Interrupted
from toolkit.forecast import Forecast
from toolkit.progress import Progress
from toolkit.training.stop_signals import StopSignals


class Engine(Protocol):
    """Where units are done; each is written down when it is yielded."""

    name: str
    width: int
    """Units at once."""

    def run(self, units: Sequence[Unit]) -> Iterator[tuple[Unit, CellRecord]]:
        """Work on units, in any order, and yield each with its record as soon as it is known."""
        ...


class LocalEngine:
    """One after the other, in this process."""

    name, width = "local", 1

    def run(self, units: Sequence[Unit]) -> Iterator[tuple[Unit, CellRecord]]:
        """Work on units in their order."""
        for unit in units:
            yield unit, unit.keep(unit.measure())


class ProtocolRecords(NamedTuple):
    """The records of one protocol."""

    methods: dict[str, list[CellRecord]]
    """By method, in the items' order."""
    precompute: list[CellRecord]
    """Of its pieces."""


class Schedule:
    """All units of a run, and how far they are."""

    def __init__(
        self, runs: Sequence[ProtocolRun], methods: Sequence[ComparedMethod], progress: Progress | None, say: Say
    ) -> None:
        """Collect the work: picture by picture, method by method.

        So a head is looked at by all protocols at once, and what networks say of a target is computed once.
        Precompute comes last: its small pieces fill the workers up to the end.
        """
        self._runs, self._methods, self._progress, self._say = runs, methods, progress, say
        self._units = [*_method_units(runs, methods), *(unit for run in runs for unit in precompute_units(run))]
        self._rates = Rates(runs[0].store)
        self._found: dict[Address, CellRecord] = {}
        self._totals = Counter(unit.owner for unit in self._units)
        self._done: Counter[str] = Counter()

    def run(self, engine: Engine) -> dict[str, ProtocolRecords]:
        """Do what is not known yet; records by protocol.

        Raises:
            Interrupted: A signal came; the current work is finished and kept.
        """
        with StopSignals() as stop:
            rest, forecast = self._begin(engine, stop)
            if rest:
                self._say(forecast.sentence())
            self._work_on(rest, engine, stop)
        return {run.title: self._records_of(run) for run in self._runs}

    def rehearse(self, engine: Engine) -> Forecast:
        """Do one piece of every kind that was never timed, and say how long the rest takes.

        Raises:
            Interrupted: A signal came; the current work is finished and kept.
        """
        with StopSignals() as stop:
            return self._begin(engine, stop)[1]

    def _begin(self, engine: Engine, stop: StopSignals) -> tuple[list[Unit], Forecast]:
        """Find what is known and do the first pieces; the others, and what they take."""
        pending = []
        for unit in self._units:
            known = unit.known()
            if known is None:
                pending.append(unit)
            else:
                self._settle(unit, known)
        tried: set[Kind] = set()
        while starters := self._starters(pending, tried):
            if not tried:
                self._say("the first picture of every method: after it the time that the rest takes is known")
            self._work_on(list(starters.values()), engine, stop)
            pending = [unit for unit in pending if starters.get(unit.kind) is not unit]
            tried |= {kind for kind, unit in starters.items() if self._found[unit.address].stage != "read"}
        return pending, self._rates.forecast(((unit.kind, unit.size) for unit in pending), engine.width)

    def _starters(self, pending: Sequence[Unit], tried: Collection[Kind]) -> dict[Kind, Unit]:
        """The first unit of each kind that was neither timed nor tried."""
        found: dict[Kind, Unit] = {}
        for unit in pending:
            if unit.kind not in found and unit.kind not in tried and self._rates.seconds(unit.kind) is None:
                found[unit.kind] = unit
        return found

    def _records_of(self, run: ProtocolRun) -> ProtocolRecords:
        methods = {
            each.name: [self._found[run.title, each.name, item.id] for item in run.protocol.items]
            for each in self._methods
        }
        return ProtocolRecords(methods, [self._found[unit.address] for unit in precompute_units(run)])

    def _work_on(self, units: Sequence[Unit], engine: Engine, stop: StopSignals) -> None:
        for unit, record in engine.run(units):
            self._rates.learn(record)
            self._settle(unit, record)
            if stop.received is not None:
                raise Interrupted(
                    f"interrupted after {self._done.total()} of {len(self._units)} pieces of work; "
                    "the same command goes on from there",
                    stop.received,
                )

    def _settle(self, unit: Unit, record: CellRecord) -> None:
        self._found[unit.address] = record
        self._done[unit.owner] += 1
        if self._progress is not None:
            self._progress.step(unit.owner, self._done[unit.owner], self._totals[unit.owner], unit.item, record.error)


def _method_units(runs: Sequence[ProtocolRun], methods: Sequence[ComparedMethod]) -> list[Unit]:
    """Every method on every item, by input picture, then by method."""
    pairs = sorted((item.uses[0], place) for place, run in enumerate(runs) for item in run.protocol.items)
    by_input = [{item.uses[0]: item for item in run.protocol.items} for run in runs]
    return [
        MethodUnit(runs[place], method, by_input[place][index])
        for index, places in itertools.groupby(pairs, key=lambda pair: pair[0])
        for method, (_, place) in itertools.product(methods, list(places))
    ]
