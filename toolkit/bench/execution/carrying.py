"""Results of methods of an earlier run in the same folder that are not named now: they are kept, or refused.

Results of a folder accumulate. A method of an earlier run stays in the tables, and in the comparisons, if every unit of
it is known under the settings, pictures and metric networks of this run, and if this run has no fewer items. Otherwise
its numbers would not belong beside the new ones, or some would be lost, and the run is refused before any work.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from toolkit.bench.execution.entries import generator_entry
from toolkit.bench.execution.machine import engine_entry, environment, machine
from toolkit.bench.execution.runs import ProtocolRun
from toolkit.bench.execution.schedule import Engine
from toolkit.bench.execution.units import MethodUnit
from toolkit.bench.records.merging import run_title
from toolkit.bench.records.results import RESULTS_FILE, read_results
from toolkit.bench.records.schema import LeftOut, MethodEntry, Results, Run
from toolkit.bench.records.units import CellRecord
from toolkit.bench.report.comparable import EFFORT, difference_of_places
from toolkit.bench.report.tables import NOT_METHODS
from toolkit.bench.subjects.methods import ComparedMethod
from toolkit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.interfaces import Generator


class Carried(NamedTuple):
    """A method of an earlier run."""

    method: ComparedMethod
    entry: MethodEntry
    """As results name it."""
    records: list[CellRecord]
    """In the items' order."""


def earlier_results(folder: Path, generator: Generator) -> Results | None:
    """What the folder holds already.

    Raises:
        InputError: It holds results that cannot be read, or that are of another generator.
    """
    path = folder / RESULTS_FILE
    if not path.exists():
        return None
    found, now = read_results(folder), generator_entry(generator)
    if (found.generator.name, found.generator.fingerprint) == (now.name, now.fingerprint):
        return found
    names = dict.fromkeys(name for run in found.runs.values() for name in run.methods)
    if not found.runs and not found.rows:
        return None
    other = "other weights of " * (found.generator.name == now.name) + f"generator {found.generator.name!r}"
    raise InputError(
        f"{folder} holds results of {', '.join(names) or 'other methods'} with {other}, this run is with generator "
        f"{now.name!r}: choose another folder with --out, or remove {path}"
    )


def carried_methods(
    before: Results | None,
    runs: Sequence[ProtocolRun],
    left_out: Sequence[LeftOut],
    named: Collection[str],
    engine: Engine,
) -> Mapping[str, list[Carried]]:
    """The methods of an earlier run of each protocol on these data that are not named now, by protocol.

    Args:
        before: What the folder holds.
        runs: The protocols of this run.
        left_out: Protocols that this run cannot do.
        named: Methods of this run.
        engine: Of this run.

    Raises:
        InputError: They do not go together with this run, or something of them would be lost.
    """
    if before is None:
        return {run.title: [] for run in runs}
    for entry in left_out:
        title = run_title(entry.protocol, entry.data)
        lost = list(before.runs[title].methods) if title in before.runs else []
        lost = lost or _names_of_rows(before, entry.protocol, entry.data)
        if lost:
            why = f"which this run cannot measure ({entry.reason})"
            raise InputError(_refusal(runs[0].request.out, lost, entry.protocol, why, named=False))
    return {run.title: _carried(before, run, named, engine) for run in runs}


def refuse_overwriting(folder: Path, generator: Generator, results: Results) -> None:
    """Make sure that these results may take the place of what the folder holds by now.

    Raises:
        InputError: Another process wrote results there since this run began, and some would be lost.
    """
    now = earlier_results(folder, generator)
    runs = {} if now is None else now.runs
    kept = {(title, name) for title, run in results.runs.items() for name in run.methods}
    lost = dict.fromkeys(name for title, run in runs.items() for name in run.methods if (title, name) not in kept)
    if lost:
        raise InputError(
            f"another process has written results of {', '.join(lost)} into {folder}: run this command again, to add "
            "its results to them; nothing is measured twice"
        )


def _carried(before: Results, run: ProtocolRun, named: Collection[str], engine: Engine) -> list[Carried]:
    earlier = before.runs.get(run_title(run.title, run.request.data_name))
    known = {} if earlier is None else earlier.methods
    measured = _names_of_rows(before, run.title, run.request.data_name)
    strays = [name for name in measured if name not in known and name not in named]
    if strays:
        raise InputError(_refusal(run.request.out, strays, run.title, "without saying how they were run"))
    if earlier is None:
        return []
    found = []
    for name, entry in known.items():
        if name not in named:
            method = ComparedMethod(name, None, entry.options, entry.weights, entry.fingerprint)
            command = entry.command or earlier.command
            kept = entry.model_copy(update={"command": command}) if command else entry
            found.append(Carried(method, kept, _records_of(run, method, earlier)))
    if found:
        _check_place(run, earlier, engine, [each.method.name for each in found])
    return found


def _names_of_rows(results: Results, protocol: str, data: str) -> list[str]:
    names = dict.fromkeys(row.method for row in results.rows if (row.protocol, row.data) == (protocol, data))
    return [name for name in names if name not in NOT_METHODS]


def _records_of(run: ProtocolRun, method: ComparedMethod, earlier: Run) -> list[CellRecord]:
    items, records = len(run.protocol.items), []
    fewer = earlier.pictures.cells > items
    for item in run.protocol.items:
        record = None if fewer else run.store.get(MethodUnit(run, method, item).key)
        if record is None or not run.protocol.holds_features(record):
            why = (
                f"of {earlier.pictures.cells} items, this run is of {items}"
                if earlier.pictures.cells != items
                else "with other settings, pictures or metrics than this run"
            )
            raise InputError(_refusal(run.request.out, [method.name], run.title, why))
        records.append(record)
    return records


def _check_place(run: ProtocolRun, earlier: Run, engine: Engine, names: list[str]) -> None:
    """One table never has seconds of two machines."""
    if not set(EFFORT) & set(run.protocol.metrics.samples):
        return
    now = earlier.model_copy(
        update={
            "machine": machine(run.generator.device),
            "environment": environment(run.settings.seed),
            "engine": engine_entry(engine.name, engine.width),
        }
    )
    why = difference_of_places(earlier, now)
    if why is not None:
        why = f"whose seconds were taken with {why}"
        raise InputError(_refusal(run.request.out, names, run.title, why))


def _refusal(folder: Path, names: list[str], protocol: str, why: str, named: bool = True) -> str:
    naming = "name these methods, too, " if named else ""
    return (
        f"{folder} holds results of {', '.join(names)} ({protocol}) {why}: {naming}choose another folder with --out, "
        f"or remove {folder / RESULTS_FILE}"
    )
