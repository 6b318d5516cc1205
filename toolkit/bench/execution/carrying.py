"""Results of methods of an earlier run in the same folder that are not named now: they are kept, or refused.

Results of a folder accumulate. A method of an earlier run stays in the tables, and in the comparisons, if every unit of
it is known under the settings, pictures and metric networks of this run. Otherwise its numbers would not belong beside
the new ones, and the run is refused before any work.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from toolkit.bench.execution.machine import engine_entry, environment, machine
from toolkit.bench.execution.runs import ProtocolRun
from toolkit.bench.execution.schedule import Engine
from toolkit.bench.execution.units import MethodUnit
from toolkit.bench.records.merging import run_title
from toolkit.bench.records.results import RESULTS_FILE
from toolkit.bench.records.schema import MethodEntry, Results, Run
from toolkit.bench.records.units import CellRecord
from toolkit.bench.report.comparable import EFFORT, difference_of_places
from toolkit.bench.subjects.methods import ComparedMethod
from toolkit.errors import InputError


class Carried(NamedTuple):
    """A method of an earlier run."""

    method: ComparedMethod
    entry: MethodEntry
    """As results name it."""
    records: list[CellRecord]
    """In the items' order."""


def carried_methods(before: Results | None, run: ProtocolRun, named: Collection[str], engine: Engine) -> list[Carried]:
    """The methods of an earlier run of this protocol on these data that are not named now.

    Args:
        before: What the folder holds.
        run: The protocol of this run.
        named: Methods of this run.
        engine: Of this run.

    Raises:
        InputError: They do not go together with this run.
    """
    earlier = None if before is None else before.runs.get(run_title(run.title, run.request.data_name))
    if before is None or earlier is None:
        return []
    measured = {row.method for row in before.rows if (row.protocol, row.data) == (earlier.protocol, earlier.data)}
    found = []
    for name, entry in earlier.methods.items():
        if name in measured and name not in named:
            method = ComparedMethod(name, None, entry.options, entry.weights, entry.fingerprint)
            command = entry.command or earlier.command
            kept = entry.model_copy(update={"command": command}) if command else entry
            found.append(Carried(method, kept, _records_of(run, method, earlier)))
    if found:
        _check_place(run, earlier, engine, [each.method.name for each in found])
    return found


def _records_of(run: ProtocolRun, method: ComparedMethod, earlier: Run) -> list[CellRecord]:
    records = []
    for item in run.protocol.items:
        record = run.store.get(MethodUnit(run, method, item).key)
        if record is None or not run.protocol.holds_features(record):
            items = len(run.protocol.items)
            why = (
                f"of {earlier.pictures.cells} items, this run is of {items}"
                if earlier.pictures.cells != items
                else "with other settings, pictures or metrics than this run"
            )
            raise InputError(_refusal(run, [method.name], why))
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
        raise InputError(_refusal(run, names, f"whose seconds were taken with {why}"))


def _refusal(run: ProtocolRun, names: list[str], why: str) -> str:
    folder = run.request.out
    return (
        f"{folder} holds results of {', '.join(names)} ({run.title}) {why}: name these methods, too, choose another "
        f"folder with --out, or remove {folder / RESULTS_FILE}"
    )
