"""What results.json says of generators, methods, runs and failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from toolkit.bench.execution.machine import engine_entry, environment, machine
from toolkit.bench.execution.runs import ProtocolRun
from toolkit.bench.execution.schedule import Engine, ProtocolRecords
from toolkit.bench.records.schema import (
    Failure,
    GeneratorEntry,
    MethodEntry,
    Pictures,
    Run,
    RunSettings,
    RunWarning,
)
from toolkit.bench.records.units import CellRecord
from toolkit.bench.subjects.data import data_readers, effective_limit
from toolkit.bench.subjects.inputs import pictures_by_subject, subjects_left_out
from toolkit.bench.subjects.methods import ComparedMethod
from toolkit.isolation.guard import changes_as_text
from toolkit.metrics.images import COMPARED_AT
from toolkit.registration import Registration

if TYPE_CHECKING:
    from toolkit.interfaces import Generator

_NAMED = 5
"""Most names in a sentence."""


def method_entry(method: ComparedMethod) -> MethodEntry:
    """A method as results name it."""
    return MethodEntry(
        method=method.renamed_from,
        options=dict(method.options),
        weights=method.weights,
        fingerprint=method.fingerprint,
        undone=list(method.undone),
    )


def generator_entry(generator: Generator) -> GeneratorEntry:
    """A generator as results name it."""
    spec = generator.spec
    return GeneratorEntry(name=spec.name, fingerprint=spec.fingerprint, world=spec.world, licence=spec.licence)


def with_seen(entry: MethodEntry, records: Sequence[CellRecord]) -> MethodEntry:
    """An entry that says how many of the records' pictures the method was trained on."""
    known = [record.seen for record in records if record.seen is not None]
    return entry.model_copy(update={"seen": sum(known)}) if known else entry


def run_entry(run: ProtocolRun, methods: Mapping[str, MethodEntry], engine: Engine) -> Run:
    """How a protocol was run: settings, pictures, methods, place."""
    request, protocol, settings = run.request, run.protocol, run.settings
    return Run(
        protocol=run.title,
        data=request.data_name,
        settings=RunSettings(**{**settings.model_dump(mode="json"), "name": run.title, "digest": settings.digest}),
        pictures=Pictures(
            source=request.data,
            reader=data_readers(request.data),
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


def failures_of(run: ProtocolRun, found: ProtocolRecords) -> list[Failure]:
    """What failed in a protocol: its precompute, units of work, pictures that could not be read, methods."""
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
            failures += [
                Failure(**where, method=method, item=record.item, stage="read", target=target, error=why)
                for target, why in _unread(record).items()
            ]
    return failures + [
        Failure(**where, method=method, item=None, stage="build", error=reason)
        for method, reason in run.request.broken_methods.items()
    ]


def _unread(record: CellRecord) -> dict[str, str]:
    """Why pictures to compare with could not be read, by their names."""
    return {score.target: score.error for score in record.measured if score.error and score.target}


def warnings_of(run: ProtocolRun, methods: Mapping[str, MethodEntry], found: ProtocolRecords) -> list[RunWarning]:
    """Cameras that are probably wrong, and what methods changed and must not: it was put back before anything else."""
    where = {"protocol": run.title, "data": run.request.data_name}
    names = run.digests.data.names
    used = {index for item in run.protocol.items for index in item.uses}
    warnings = [
        RunWarning(**where, item=names[index], text=f"its camera: {fault}")
        for index, fault in run.odd_cameras.items()
        if index in used
    ]
    warnings += [
        RunWarning(**where, method=method, text=changes_as_text(method, entry.undone))
        for method, entry in methods.items()
        if entry.undone
    ]
    warnings += [
        RunWarning(**where, method=method, text=f"trained on {entry.seen} of the {len(run.protocol.items)} inputs")
        for method, entry in methods.items()
        if entry.seen
    ]
    told = [*_left_out(run), *_broken_metrics(found), *_silent_metrics(found, run.protocol.metrics.strangers)]
    warnings += [RunWarning(**where, text=text) for text in told]
    return warnings + [
        RunWarning(**where, method=method, item=record.item, text=changes_as_text(method, record.undone))
        for method, records in found.methods.items()
        for record in records
        if record.undone
    ]


def _left_out(run: ProtocolRun) -> list[str]:
    """Which subjects have no picture from where the protocol wants one."""
    request, protocol = run.request, run.protocol
    subjects = pictures_by_subject(protocol.data)
    missing = subjects_left_out(subjects, protocol.items, effective_limit(request.data, request.limit))
    if not missing or not protocol.inputs:
        return []
    yaws = ", ".join(f"{yaw:g}" for yaw in protocol.inputs)
    more = "" if len(missing) <= _NAMED else " ..."
    return [
        f"{len(missing)} of {len(subjects)} subjects left out, without a picture within "
        f"{run.settings.yaw_tolerance:g} degrees of yaw {yaws} (yaw_tolerance) or one to compare with: "
        f"{', '.join(missing[:_NAMED])}{more}"
    ]


def _broken_metrics(found: ProtocolRecords) -> list[str]:
    """How strangers' metrics failed, each reason once."""
    reasons = Counter(
        score.error
        for records in found.methods.values()
        for record in records
        for score in record.measured
        if score.error and not score.target
    )
    return [f"{reason} ({count} times)" for reason, count in reasons.items()]


def _silent_metrics(found: ProtocolRecords, strangers: Mapping[str, Registration]) -> list[str]:
    """How often strangers' metrics gave no number, although they did not fail."""
    asked, silent = Counter[str](), Counter[str]()
    for records in found.methods.values():
        for score in (score for record in records for score in record.measured if score.error is None):
            name = score.metric.partition("@")[0]
            asked[name] += score.used + score.failed
            silent[name] += score.failed if score.value is None else 0
    return [
        f"{entry.whose} gave NaN or infinity instead of a number in {silent[name]} of {asked[name]} comparisons"
        for name, entry in strangers.items()
        if silent[name]
    ]


def _precompute_failure(records: Sequence[CellRecord], protocol: str) -> list[str]:
    """One sentence, however many pieces failed."""
    lost = [record for record in records if record.error is not None]
    if not lost:
        return []
    why = f"{lost[0].error} ({len(lost)} of {len(records)} pieces failed)"
    return [f"{protocol} has no numbers, because its {lost[0].precompute} could not be made: {why}"]
