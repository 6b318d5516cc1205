"""What a run found, as results.json holds it; what the folder holds of other protocols and data stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from toolkit.bench.execution.machine import engine_entry, environment, machine
from toolkit.bench.execution.runs import ProtocolRun
from toolkit.bench.execution.schedule import Engine, ProtocolRecords
from toolkit.bench.protocols.comparisons import compare_all, value_tables
from toolkit.bench.protocols.rows import RowOrigin
from toolkit.bench.records.results import RESULTS_FILE, read_results
from toolkit.bench.records.schema import (
    Cell,
    CurvePoint,
    Difference,
    Doubt,
    Failure,
    GeneratorEntry,
    Head,
    LeftOut,
    MethodEntry,
    Pictures,
    Results,
    Row,
    Run,
    RunSettings,
    Unavailable,
    ValueTable,
)
from toolkit.bench.records.store import key_of
from toolkit.bench.records.units import CellRecord
from toolkit.bench.subjects.methods import ComparedMethod
from toolkit.data.sources import find_source
from toolkit.isolation.guard import changes_as_text
from toolkit.metrics.images import COMPARED_AT

if TYPE_CHECKING:
    from toolkit.interfaces import Generator

Origin = tuple[str, str]
"""Protocol and data set."""
Kept = TypeVar("Kept")
Placed = TypeVar("Placed", Row, CurvePoint, ValueTable, Difference, Cell, Failure, Doubt, Unavailable, LeftOut)


def outcome_of(run: ProtocolRun, methods: Mapping[str, MethodEntry], found: ProtocolRecords, engine: Engine) -> Results:
    """What one protocol found: results of its own, without heads.

    Args:
        run: The protocol.
        methods: All methods that there are records of, by name.
        found: The records.
        engine: Where units were done.
    """
    request, protocol = run.request, run.protocol
    origin = RowOrigin(run.title, run.generator.spec.world, request.data_name, run.settings.seed)
    numbers = protocol.numbers(origin, found.methods)
    values = value_tables(origin, found.methods, protocol.metrics.samples)
    where = {"protocol": origin.protocol, "data": origin.data}
    return Results(
        generator=generator_entry(run.generator),
        runs={run_title(origin.protocol, origin.data): _run_entry(run, methods, engine)},
        rows=numbers.rows,
        curves=list(numbers.curves),
        values=values,
        comparisons=[*compare_all(origin, protocol.items, values), *numbers.comparisons],
        cells=[
            Cell(**where, item=item.id, subject=item.subject, pictures=key_of([run.digests[one] for one in item.uses]))
            for item in protocol.items
        ],
        failures=_failures(run, found),
        doubts=_doubts(run, methods, found),
        unavailable=[
            Unavailable(**where, metric=name, reason=reason) for name, reason in protocol.metrics.unavailable.items()
        ],
    )


def method_entry(method: ComparedMethod) -> MethodEntry:
    """A method as results name it."""
    return MethodEntry(
        options=dict(method.options),
        weights=method.weights,
        fingerprint=method.fingerprint,
        undone=list(method.undone),
    )


def merged(before: Results | None, parts: Sequence[Results], heads: list[Head], left_out: list[LeftOut]) -> Results:
    """Results of several protocols as one document; what `before` holds of other protocols and data stays."""
    done = {_origin(run) for part in parts for run in part.runs.values()} | {_origin(entry) for entry in left_out}
    kept = [] if before is None else [_without(before, done)]
    fresh = {(head.data, head.item, head.method) for head in heads}

    def every(pick: Callable[[Results], list[Kept]]) -> list[Kept]:
        return [entry for each in (*kept, *parts) for entry in pick(each)]

    return Results(
        format="toolkit-bench",
        schema_version=4,
        generator=parts[0].generator,
        runs={title: run for each in (*kept, *parts) for title, run in each.runs.items()},
        rows=every(lambda each: each.rows),
        curves=every(lambda each: each.curves),
        values=every(lambda each: each.values),
        comparisons=every(lambda each: each.comparisons),
        cells=every(lambda each: each.cells),
        failures=every(lambda each: each.failures),
        doubts=every(lambda each: each.doubts),
        unavailable=every(lambda each: each.unavailable),
        left_out=[*every(lambda each: each.left_out), *left_out],
        heads=[
            *(head for each in kept for head in each.heads if (head.data, head.item, head.method) not in fresh),
            *heads,
        ],
    )


def earlier_results(folder: Path, generator: Generator) -> Results | None:
    """What the folder holds already, if it is of this generator.

    Raises:
        InputError: It holds results that cannot be read.
    """
    if not (folder / RESULTS_FILE).exists():
        return None
    found = read_results(folder)
    return found if found.generator == generator_entry(generator) else None


def generator_entry(generator: Generator) -> GeneratorEntry:
    """A generator as results name it."""
    spec = generator.spec
    return GeneratorEntry(name=spec.name, fingerprint=spec.fingerprint, world=spec.world, licence=spec.licence)


def run_title(protocol: str, data: str) -> str:
    """The key of a run among `runs`."""
    return f"{protocol} on {data}"


def _run_entry(run: ProtocolRun, methods: Mapping[str, MethodEntry], engine: Engine) -> Run:
    request, protocol, settings = run.request, run.protocol, run.settings
    source = find_source(request.data)
    return Run(
        protocol=run.title,
        data=request.data_name,
        settings=RunSettings(**{**settings.model_dump(mode="json"), "name": run.title, "digest": settings.digest}),
        pictures=Pictures(
            source=request.data,
            reader=source.reader if source else None,
            domain=request.domain,
            pictures=len(run.digests.data),
            cells=len(protocol.items),
        ),
        compared_at=f"{COMPARED_AT} px at most, bilinear, antialiased; smaller pictures as they are",
        image_size=run.generator.spec.image_size,
        choices=dict(protocol.choices),
        networks=protocol.metrics.networks,
        interval=protocol.interval,
        comparison=protocol.comparison,
        backend=request.backend,
        methods=dict(methods),
        environment=environment(settings.seed),
        machine=machine(run.generator.device),
        engine=engine_entry(engine.name, engine.width),
        command=request.command,
        keep=request.keep,
    )


def _failures(run: ProtocolRun, found: ProtocolRecords) -> list[Failure]:
    where = {"protocol": run.title, "data": run.request.data_name}
    failures = [
        Failure(**where, method=None, item=None, stage="precompute", error=sentence)
        for sentence in _precompute_failure(found.precompute, run.title)
    ]
    for method, records in found.methods.items():
        for record in records:
            if record.error is not None:
                stage = record.stage or "score"
                failures.append(Failure(**where, method=method, item=record.item, stage=stage, error=record.error))
            lost = {score.target: score.error for score in record.measured if score.error is not None}
            failures += [
                Failure(**where, method=method, item=record.item, stage="read", target=target, error=why)
                for target, why in lost.items()
            ]
    return failures + [
        Failure(**where, method=method, item=None, stage="build", error=reason)
        for method, reason in run.request.broken_methods.items()
    ]


def _doubts(run: ProtocolRun, methods: Mapping[str, MethodEntry], found: ProtocolRecords) -> list[Doubt]:
    """Cameras that are probably wrong, and what methods changed and must not: it was put back before anything else."""
    where = {"protocol": run.title, "data": run.request.data_name}
    names = run.digests.data.names
    used = {index for item in run.protocol.items for index in item.uses}
    doubts = [
        Doubt(**where, item=names[index], text=f"its camera: {fault}")
        for index, fault in run.doubtful_cameras.items()
        if index in used
    ]
    doubts += [
        Doubt(**where, method=method, text=changes_as_text(method, entry.undone))
        for method, entry in methods.items()
        if entry.undone
    ]
    return doubts + [
        Doubt(**where, method=method, item=record.item, text=changes_as_text(method, record.undone))
        for method, records in found.methods.items()
        for record in records
        if record.undone
    ]


def _precompute_failure(records: Sequence[CellRecord], protocol: str) -> list[str]:
    """One sentence, however many pieces failed."""
    lost = [record for record in records if record.error is not None]
    if not lost:
        return []
    why = f"{lost[0].error} ({len(lost)} of {len(records)} pieces failed)"
    return [f"{protocol} has no numbers, because its {lost[0].precompute} could not be made: {why}"]


def _origin(entry: Run | LeftOut) -> Origin:
    return entry.protocol, entry.data


def _without(results: Results, done: set[Origin]) -> Results:
    """Results without what is of these protocols and data; heads stay where another protocol has their item."""

    def others(entries: Sequence[Placed]) -> list[Placed]:
        return [entry for entry in entries if (entry.protocol, entry.data) not in done]

    cells = others(results.cells)
    items = {(cell.data, cell.item) for cell in cells}
    return Results(
        generator=results.generator,
        runs={title: run for title, run in results.runs.items() if _origin(run) not in done},
        rows=others(results.rows),
        curves=others(results.curves),
        values=others(results.values),
        comparisons=others(results.comparisons),
        cells=cells,
        failures=others(results.failures),
        doubts=others(results.doubts),
        unavailable=others(results.unavailable),
        left_out=others(results.left_out),
        heads=[head for head in results.heads if (head.data, head.item) in items],
    )
