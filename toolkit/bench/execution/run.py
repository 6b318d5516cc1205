"""A run, from its description to its results and its report: what it needs is opened, and every method is measured."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from toolkit import strangers
from toolkit.bench.execution.carrying import carried_methods, earlier_results, refuse_overwriting
from toolkit.bench.execution.engines import open_engine
from toolkit.bench.execution.entries import (
    failures_of,
    generator_entry,
    method_entry,
    run_entry,
    warnings_of,
    with_seen,
)
from toolkit.bench.execution.gallery import Gallery
from toolkit.bench.execution.listening import heard_steps
from toolkit.bench.execution.runs import BenchRequest, ProtocolRun, open_runs
from toolkit.bench.execution.schedule import Engine, LocalEngine, ProtocolRecords, Schedule
from toolkit.bench.execution.wanted_renders import write_wanted
from toolkit.bench.protocols.comparisons import compare_all, value_tables
from toolkit.bench.protocols.rows import RowOrigin
from toolkit.bench.records.merging import merged, run_title
from toolkit.bench.records.results import write_results
from toolkit.bench.records.schema import Cell, LeftOut, MethodEntry, Results, Unavailable
from toolkit.bench.records.store import key_of
from toolkit.bench.report import write_report
from toolkit.bench.subjects.description import RunDescription, open_run
from toolkit.bench.subjects.methods import ComparedMethod
from toolkit.errors import InputError
from toolkit.files import check_folder_place
from toolkit.forecast import Forecast
from toolkit.isolation.method import IsolatedMethod
from toolkit.progress import Progress

if TYPE_CHECKING:
    from toolkit.interfaces import Generator


class Suite(NamedTuple):
    """A comparison with everything that it needs, opened."""

    requests: list[BenchRequest]
    """One per protocol; they know which methods could not be built."""
    generator: Generator
    methods: list[ComparedMethod]
    engine: Engine
    time_limit: float | None
    """Seconds that an inversion, or another part of a stranger's plugin, may take."""

    def run(self, progress: Progress | None = None) -> Results:
        """Run, or resume, the comparison (see `run_suite`)."""
        with strangers.time_limit(self.time_limit):
            return run_suite(self.requests, self.generator, self.methods, progress, self.engine)

    def rehearse(self, progress: Progress | None = None) -> tuple[Forecast, list[LeftOut]]:
        """Say what the run would cost (see `rehearse_suite`)."""
        with strangers.time_limit(self.time_limit):
            return rehearse_suite(self.requests, self.generator, self.methods, progress, self.engine)


def open_suite(described: RunDescription, engine: str, workers: int | None) -> Suite:
    """Open everything that a run needs; the address of a Ray cluster is read from RAY_ADDRESS.

    Raises:
        InputError: No method can be run, there is no such engine, or the time limit is not a number of seconds.
        ToolkitError: A part that everything depends on cannot be opened.
    """
    limit = strangers.checked_time_limit(described.time_limit)
    generator, methods, broken = open_run(described)
    if not methods:
        raise InputError(f"no method can be run: {'; '.join(dict.fromkeys(broken.values()))}")
    runs_on = open_engine(engine, described, workers, os.environ.get("RAY_ADDRESS"))
    requests = [replace(request, broken_methods=broken) for request in described.requests]
    return Suite(requests, generator, methods, runs_on, limit)


def run_suite(
    requests: Sequence[BenchRequest],
    generator: Generator,
    methods: Sequence[ComparedMethod],
    progress: Progress | None = None,
    engine: Engine | None = None,
) -> Results:
    """Run, or resume, a comparison by several protocols, and write results, tables and report into its folder.

    Every method's first picture comes first, in all protocols: after that the time left is known. Methods of an earlier
    run in the folder stay in its results (see `toolkit.bench.execution.carrying`).

    Args:
        requests: One per protocol; they differ in nothing else.
        generator: What all methods invert into.
        methods: What is compared.
        progress: Hears of every unit of work.
        engine: Where it is done; None: in this process.

    Returns:
        What results.json holds.

    Raises:
        InputError: The data can serve none of the protocols, no metric is available, or the folder holds results that
            cannot be read, or do not go together with this run.
        OutputError: The folder cannot be written.
        Interrupted: A signal came; the current work is finished, everything is kept.
    """
    first = requests[0]
    check_folder_place(first.out)
    say = progress.note if progress is not None else lambda text: None
    before, engine = earlier_results(first.out, generator), engine or LocalEngine()
    runs, left_out = open_runs(requests, generator, say)
    carried = carried_methods(before, runs, left_out, {method.name for method in methods}, engine)
    write_wanted(first.out, runs)
    for method in methods:
        if isinstance(method.inverter, IsolatedMethod):
            method.inverter.note = say
    with heard_steps(methods, progress):
        found = Schedule(runs, methods, progress, say).run(engine)
    parts = []
    for run in runs:
        say(f"numbers of {run.title}")
        entries = {each.method.name: each.entry for each in carried[run.title]}
        entries |= {method.name: method_entry(method) for method in methods}
        records = {each.method.name: each.records for each in carried[run.title]} | found[run.title].methods
        parts.append(outcome_of(run, entries, found[run.title]._replace(methods=records), engine))
    others = {each.method.name: each.method for mine in carried.values() for each in mine}
    heads = Gallery(runs, [*others.values(), *methods], parts, say).complete()
    results = merged(before, parts, heads, left_out, runs[0].inversions.views.count)
    refuse_overwriting(first.out, generator, results)
    write_results(first.out, results)
    write_report(first.out, results)
    return results


def rehearse_suite(
    requests: Sequence[BenchRequest],
    generator: Generator,
    methods: Sequence[ComparedMethod],
    progress: Progress | None = None,
    engine: Engine | None = None,
) -> tuple[Forecast, list[LeftOut]]:
    """Say what a run would cost (see `run_suite`): by the folder's records, else by the first picture of every method.

    What is worked on is kept for the run; results and report are not written.

    Returns:
        The forecast, and the protocols that are left out with their reasons.

    Raises:
        InputError: The data can serve none of the protocols, or no metric is available.
        OutputError: The folder cannot be written.
        Interrupted: A signal came; the current work is finished, everything is kept.
    """
    check_folder_place(requests[0].out)
    say = progress.note if progress is not None else lambda text: None
    before, engine = earlier_results(requests[0].out, generator), engine or LocalEngine()
    runs, left_out = open_runs(requests, generator, say)
    names = {method.name for method in methods}
    carried_methods(before, runs, left_out, names, engine)  # refuses what the run would refuse
    with heard_steps(methods, progress):
        return Schedule(runs, methods, progress, say).rehearse(engine), left_out


def outcome_of(run: ProtocolRun, methods: Mapping[str, MethodEntry], found: ProtocolRecords, engine: Engine) -> Results:
    """What one protocol found: results of its own, without heads.

    Args:
        run: The protocol.
        methods: All methods that there are records of, by name.
        found: The records.
        engine: Where units were done.
    """
    request, protocol = run.request, run.protocol
    methods = {name: with_seen(entry, found.methods.get(name, [])) for name, entry in methods.items()}
    origin = RowOrigin(run.title, run.generator.spec.world, request.data_name, run.settings.seed)
    numbers = protocol.numbers(origin, found.methods)
    values = value_tables(origin, found.methods, protocol.metrics.samples)
    where = {"protocol": origin.protocol, "data": origin.data}
    return Results(
        generator=generator_entry(run.generator),
        runs={run_title(origin.protocol, origin.data): run_entry(run, methods, engine)},
        rows=numbers.rows,
        curves=list(numbers.curves),
        values=values,
        comparisons=[*compare_all(origin, protocol.items, values), *numbers.comparisons],
        cells=[
            Cell(**where, item=item.id, subject=item.subject, pictures=key_of([run.digests[one] for one in item.uses]))
            for item in protocol.items
        ],
        failures=failures_of(run, found),
        warnings=warnings_of(run, methods, found),
        unavailable=[
            Unavailable(**where, metric=name, reason=reason) for name, reason in protocol.metrics.unavailable.items()
        ],
    )
