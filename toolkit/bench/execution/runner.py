"""Running a comparison: protocols on data, every method on every item, results and report written at the end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.bench.execution.carrying import carried_methods
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
from toolkit.bench.protocols.comparisons import compare_all, value_tables
from toolkit.bench.protocols.rows import RowOrigin
from toolkit.bench.records.merging import earlier_results, merged, run_title
from toolkit.bench.records.results import write_results
from toolkit.bench.records.schema import Cell, LeftOut, MethodEntry, Results, Unavailable
from toolkit.bench.records.store import key_of
from toolkit.bench.report import write_report
from toolkit.bench.subjects.methods import ComparedMethod
from toolkit.files import atomic_write, check_folder_place
from toolkit.forecast import Forecast
from toolkit.isolation.method import IsolatedMethod
from toolkit.progress import Progress

if TYPE_CHECKING:
    from toolkit.interfaces import Generator

WANTED_FILE = "wanted.json"


def run_bench(
    request: BenchRequest, generator: Generator, methods: Sequence[ComparedMethod], progress: Progress | None = None
) -> Results:
    """Run, or go on with, one protocol (see `run_suite`); what hinders it is an error."""
    return run_suite([request], generator, methods, progress)


def run_suite(
    requests: Sequence[BenchRequest],
    generator: Generator,
    methods: Sequence[ComparedMethod],
    progress: Progress | None = None,
    engine: Engine | None = None,
) -> Results:
    """Run, or go on with, a comparison by several protocols and write results, tables and report into its folder.

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
        Interrupted: A signal came; what was in hand is finished, everything is kept.
    """
    first = requests[0]
    check_folder_place(first.out)
    say = progress.note if progress is not None else lambda text: None
    before = earlier_results(first.out, generator_entry(generator))
    runs, left_out = open_runs(requests, generator, say)
    _write_wanted(first.out, runs)
    for method in methods:
        if isinstance(method.inverter, IsolatedMethod):
            method.inverter.note = say
    engine = engine or LocalEngine()
    names = {method.name for method in methods}
    carried = {run.title: carried_methods(before, run, names, engine) for run in runs}
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
        Interrupted: A signal came; what was in hand is finished, everything is kept.
    """
    check_folder_place(requests[0].out)
    say = progress.note if progress is not None else lambda text: None
    before, engine = earlier_results(requests[0].out, generator_entry(generator)), engine or LocalEngine()
    runs, left_out = open_runs(requests, generator, say)
    for run in runs:
        carried_methods(before, run, {method.name for method in methods}, engine)  # refuses what the run would refuse
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


def _write_wanted(out: Path, runs: Sequence[ProtocolRun]) -> None:
    """Say which renders a method from elsewhere has to bring (see `toolkit.bench.subjects.outside`)."""
    wanted: dict[tuple[str, tuple[float, ...]], None] = {}
    for run in runs:
        labels = run.digests.data.cameras.label
        for item in run.protocol.items:
            views = [labels[index].tolist() for index in item.uses]
            views += [camera.label[0].tolist() for camera in run.protocol.other_views(item)]
            for label in views:
                wanted[item.id, tuple(round(entry, 6) for entry in label)] = None
    with atomic_write(out / WANTED_FILE) as path:
        document = {"renders": [[item, list(label)] for item, label in wanted]}
        path.write_text(json.dumps(document) + "\n", encoding="utf-8")
