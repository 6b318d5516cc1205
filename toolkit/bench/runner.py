"""Running a comparison: every method on every cell, each result kept as soon as it is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from toolkit.bench.data import open_data
from toolkit.bench.fid360 import Fid360, check_distributions
from toolkit.bench.gt360 import GroundTruth360
from toolkit.bench.inversions import CellError, Contender, Inversions
from toolkit.bench.protocol import BenchProtocol
from toolkit.bench.reconstruction import Reconstruction
from toolkit.bench.rows import Cell, Frame
from toolkit.bench.scoring import OpenMetrics, open_metrics
from toolkit.bench.store import Record, Store, key_of, plain
from toolkit.bench.table import as_tables
from toolkit.data import ImageFolder
from toolkit.errors import Interrupted, OutputError
from toolkit.files import atomic_write, check_folder_place
from toolkit.inversion import run_provenance
from toolkit.metrics.images import COMPARED_AT
from toolkit.training.stop_signals import StopSignals

if TYPE_CHECKING:
    from toolkit.interfaces import Generator

SCHEMA_VERSION = 1
RESULTS_FILE, TABLE_FILE, CELLS_FILE = "results.json", "table.md", "cells.jsonl"
INTERVALS = {
    "paired": "bootstrap 95 % of the mean, whole subjects drawn with replacement, 1000 times",
    "fid360": "2.5th to 97.5th percentile over independent draws of the random heads",
}


class Task(Protocol):
    """A protocol at work: its cells, what is measured in one, and the rows over all."""

    cells: list[Cell]
    metrics: OpenMetrics

    def measure(self, contender: Contender, cell: Cell, inversions: Inversions, generator: Generator) -> list[Record]:
        """Work on one cell; raises CellError where that fails."""
        ...

    def holds(self, record: Record) -> bool:
        """Whether the files that a record refers to are still there."""
        ...

    def rows(self, frame: Frame, records: dict[str, list[Record]]) -> tuple[list[Record], list[Record]]:
        """Rows and curves from the records of each method's cells."""
        ...


class Progress(Protocol):
    """Hears how the run goes on."""

    def note(self, text: str) -> None:
        """Something begins that takes a while."""
        ...

    def step(self, done: int, total: int, method: str, cell: str, error: str | None) -> None:
        """A cell is done (or was before)."""
        ...


@dataclass(frozen=True)
class BenchRequest:
    """What is to be compared, on what, how."""

    protocol: BenchProtocol
    data: str
    out: Path
    limit: int | None = None
    backend: str = "auto"
    domain: str = "clean"
    retry_failed: bool = False
    broken_methods: dict[str, str] = field(default_factory=dict)
    """Methods that were asked for and could not be built, with the reason: listed, not run."""

    @property
    def data_name(self) -> str:
        """What results call the data set: its folder's name, or its own and the domain."""
        return Path(self.data).resolve().stem if Path(self.data).exists() else f"{self.data}-{self.domain}"


def run_bench(
    request: BenchRequest, generator: Generator, contenders: Sequence[Contender], progress: Progress | None = None
) -> dict[str, Any]:
    """Run, or go on with, a comparison and write results.json and table.md into its folder.

    Args:
        request: Protocol, data, folder and what else decides the numbers.
        generator: What all methods invert into.
        contenders: The methods.
        progress: Hears of every cell.

    Returns:
        What results.json holds.

    Raises:
        InputError: The data cannot serve the protocol, or no metric of it is available.
        OutputError: The folder cannot be written.
        Interrupted: A signal came; the cell in hand was finished, everything is kept.
    """
    check_folder_place(request.out)
    spec = generator.spec
    metrics = open_metrics(request.protocol.metrics, request.backend, spec.world, spec.image_size)
    if request.protocol.kind == "fid360":
        check_distributions(metrics)  # before pictures are made
    if progress is not None and not Path(request.data).exists():
        progress.note(f"making pictures of {request.data} (those that are not there yet)")
    data = open_data(request.data, request.protocol, spec, request.out, request.limit, request.domain)
    task = _open_task(request, data, metrics, generator)
    work = _Work(request, generator, task, data)
    records = work.run(contenders, progress)
    results = _results(request, generator, task, contenders, records)
    _write(request.out, results)
    return results


def _open_task(request: BenchRequest, data: ImageFolder, metrics: OpenMetrics, generator: Generator) -> Task:
    protocol, limit = request.protocol, request.limit
    if protocol.kind == "reconstruction":
        return Reconstruction(data, metrics, limit)
    if protocol.kind == "gt360":
        return GroundTruth360(data, metrics, limit, protocol)
    return Fid360(data, metrics, limit, protocol, request.out / "features", generator)


class _Work:
    def __init__(self, request: BenchRequest, generator: Generator, task: Task, data: ImageFolder) -> None:
        self._request, self._generator, self._task, self._data = request, generator, task, data
        self._store = Store(request.out / CELLS_FILE)
        seed = request.protocol.seed
        self._inversions = Inversions(request.out / "inversions", generator, seed, request.retry_failed)
        labels = json.dumps([data.names, data.labels.tolist()])
        self._data_hash = hashlib.sha256(labels.encode()).hexdigest()

    def run(self, contenders: Sequence[Contender], progress: Progress | None) -> dict[str, list[Record]]:
        """All cells of all methods; records by method, in the cells' order."""
        total, done = len(contenders) * len(self._task.cells), 0
        records: dict[str, list[Record]] = {contender.name: [] for contender in contenders}
        with StopSignals() as stop:
            for contender in contenders:
                for cell in self._task.cells:
                    record = self._record(contender, cell)
                    records[contender.name].append(record)
                    done += 1
                    if progress is not None:
                        progress.step(done, total, contender.name, cell.id, record["error"])
                    if stop.received is not None:
                        raise Interrupted(
                            f"interrupted after {done} of {total} cells; the same command goes on from there",
                            stop.received,
                        )
        return records

    def _record(self, contender: Contender, cell: Cell) -> Record:
        key = self._key(contender, cell)
        known = self._store.get(key)
        if known is not None and self._stands(known):
            return known
        protocol = self._request.protocol
        facts: Record = {"protocol": protocol.title, "method": contender.name, "item": cell.id}
        try:
            scores = self._task.measure(contender, cell, self._inversions, self._generator)
        except OutputError:
            raise
        except CellError as error:
            return self._store.append(key, {**facts, "error": str(error), "stage": error.stage})
        except Exception as error:  # rendering a strange inversion may raise anything: it costs this cell
            message = f"{type(error).__name__}: {error}".splitlines()[0]
            return self._store.append(key, {**facts, "error": message, "stage": "score"})
        return self._store.append(key, {**facts, "error": None, "scores": scores})

    def _stands(self, known: Record) -> bool:
        """Whether a record needs no repetition; failures do where asked to, and always where only reading failed."""
        if known["error"] is not None:
            return not self._request.retry_failed and known["stage"] != "read"
        return self._task.holds(known)

    def _key(self, contender: Contender, cell: Cell) -> str:
        protocol, task = self._request.protocol, self._task
        count = len(task.cells) if protocol.kind == "fid360" else 0  # yaws follow from the number of pictures
        return key_of(contender.identity, self._generator.spec.fingerprint, protocol.title, protocol.digest,
                      sorted(task.metrics.samples), cell.id, self._data_hash, count)  # fmt: skip


def _results(
    request: BenchRequest,
    generator: Generator,
    task: Task,
    contenders: Sequence[Contender],
    records: dict[str, list[Record]],
) -> dict[str, Any]:
    spec, protocol = generator.spec, request.protocol
    origin = {"protocol": protocol.title, "data": request.data_name}
    frame = Frame(protocol.title, spec.world, request.data_name, protocol.seed)
    rows, curves = task.rows(frame, records)
    failures = [
        {"method": method, "item": record["item"], "stage": record["stage"], "error": record["error"]}
        for method, found in records.items()
        for record in found
        if record["error"] is not None
    ]
    failures += [
        {"method": method, "item": None, "stage": "build", "error": reason}
        for method, reason in request.broken_methods.items()
    ]
    missing = [{"metric": name, "reason": reason} for name, reason in task.metrics.unavailable.items()]
    run = {
        "settings": {**protocol.model_dump(mode="json"), "name": protocol.title, "digest": protocol.digest},
        "pictures": {"source": request.data, "domain": request.domain, "cells": len(task.cells)},
        "compared_at": f"{COMPARED_AT} px at most, bilinear, antialiased; smaller pictures as they are",
        "image_size": spec.image_size,
        "interval": INTERVALS["fid360" if protocol.kind == "fid360" else "paired"],
        "backend": request.backend,
        "methods": {each.name: {"options": dict(each.options), "weights": each.weights} for each in contenders},
        "environment": run_provenance(seed=protocol.seed),
    }
    return plain(
        {
            "format": "toolkit-bench",
            "schema_version": SCHEMA_VERSION,
            "generator": {"name": spec.name, "fingerprint": spec.fingerprint, "world": spec.world,
                          "licence": spec.licence},
            "runs": {f"{protocol.title} on {request.data_name}": {**origin, **run}},
            "rows": rows,
            "curves": curves,
            "failures": [{**origin, **failure} for failure in failures],
            "unavailable": [{**origin, **entry} for entry in missing],
        }
    )  # fmt: skip


def _write(out: Path, results: dict[str, Any]) -> None:
    """Write results.json and table.md; what other protocols and data gave with this generator stays."""
    run = next(iter(results["runs"].values()))
    origin = (run["protocol"], run["data"])
    before = _read_results(out / RESULTS_FILE, results["generator"])
    for part in ("rows", "curves", "failures", "unavailable"):
        kept = [entry for entry in before.get(part, []) if (entry["protocol"], entry["data"]) != origin]
        results[part] = kept + results[part]
    results["runs"] = {**before.get("runs", {}), **results["runs"]}
    with atomic_write(out / RESULTS_FILE) as path:
        path.write_text(json.dumps(results, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    with atomic_write(out / TABLE_FILE) as path:
        path.write_text(as_tables(results["rows"]) + "\n", encoding="utf-8")


def _read_results(path: Path, generator: dict[str, Any]) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    same = isinstance(found, dict) and found.get("generator") == generator
    return found if same and found.get("schema_version") == SCHEMA_VERSION else {}
