"""results.json: a typed document of everything that a run found, from which tables and report are made.

Its keys are described in docs/bench.md; a change of their meaning raises SCHEMA_VERSION.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.bench.execution.machine import machine
from toolkit.bench.protocols.comparisons import compare_all, value_tables
from toolkit.bench.protocols.paired_distances import RESAMPLES as HEADS
from toolkit.bench.protocols.rows import RESAMPLES as ITEMS
from toolkit.bench.protocols.rows import Frame
from toolkit.bench.records.store import Record, key_of, plain
from toolkit.bench.subjects.inversions import Contender
from toolkit.data.sources import find_source
from toolkit.errors import InputError
from toolkit.files import atomic_write
from toolkit.inversion import run_provenance
from toolkit.metrics.images import COMPARED_AT

if TYPE_CHECKING:
    from toolkit.bench.execution.schedule import Engine, Found
    from toolkit.bench.execution.work import BenchRequest, Work
    from toolkit.interfaces import Generator

FORMAT, SCHEMA_VERSION = "toolkit-bench", 4
RESULTS_FILE = "results.json"
INTERVALS = {
    "paired": "bootstrap 95 % of the mean, whole subjects drawn with replacement, 1000 times",
    "fid360": "2.5th to 97.5th percentile over independent draws of the random heads",
}
PAIRED = {
    "paired": f"mean difference on the same items; bootstrap 95 %, whole subjects with replacement, {ITEMS} times",
    "fid360": "difference of the distances on the same items from the same random heads; bootstrap 95 % around it, "
    f"whole subjects with replacement, {HEADS} times, each time beside the next draw of random heads",
}
"""How two methods are compared: below the tables of the report, and in results."""
LISTS = (
    "rows", "curves", "values", "comparisons", "cells", "failures", "unavailable", "left_out", "heads",
)  # fmt: skip
"""Parts that are lists of records with `protocol` and `data` (heads: `data` alone)."""


def part_of(frame: Frame, work: Work, contenders: Sequence[Contender], found: Found, engine: Engine) -> dict[str, Any]:
    """What one protocol found: a results document of its own, without generator and heads."""
    request, task, generator, digests = work.request, work.task, work.generator, work.digests
    protocol, origin = request.protocol, {"protocol": frame.protocol, "data": frame.data}
    numbers = task.numbers(frame, found.cells)
    values = value_tables(frame, found.cells, task.metrics.samples)
    source = find_source(request.data)
    interval = "fid360" if protocol.kind == "fid360" else "paired"
    methods = {
        each.name: {"options": dict(each.options), "weights": each.weights, "fingerprint": each.identity[-1]}
        for each in contenders
    }
    run = {
        "settings": {**protocol.model_dump(mode="json"), "name": protocol.title, "digest": protocol.digest},
        "pictures": {
            "source": request.data,
            "reader": source.reader if source else None,
            "domain": request.domain,
            "pictures": len(digests.data),
            "cells": len(task.cells),
        },
        "compared_at": f"{COMPARED_AT} px at most, bilinear, antialiased; smaller pictures as they are",
        "image_size": generator.spec.image_size,
        "choices": dict(task.choices),
        "networks": task.metrics.networks,
        "interval": INTERVALS[interval],
        "comparison": PAIRED[interval],
        "backend": request.backend,
        "methods": methods,
        "environment": run_provenance(seed=protocol.seed),
        "machine": machine(generator.device),
        "engine": {"name": engine.name, "workers": engine.width},
        "command": request.command,
    }
    return {
        "runs": {f"{frame.protocol} on {frame.data}": {**origin, **run}},
        "rows": numbers.rows,
        "curves": list(numbers.curves),
        "values": values,
        "comparisons": [*compare_all(frame, task.cells, values), *numbers.comparisons],
        "cells": [
            {
                **origin,
                "item": cell.id,
                "subject": cell.subject,
                "pictures": key_of([digests[one] for one in cell.uses]),
            }
            for cell in task.cells
        ],
        "failures": [{**origin, **failure} for failure in _failures(request, found)],
        "unavailable": [
            {**origin, "metric": name, "reason": reason} for name, reason in task.metrics.unavailable.items()
        ],
    }


def write_results(
    request: BenchRequest,
    generator: Generator,
    parts: Sequence[dict[str, Any]],
    heads: list[Record],
    left_out: list[Record],
) -> dict[str, Any]:
    """Write results.json and everything made from it; what other protocols and data gave with this generator stays."""
    from toolkit.bench.report import write_report  # which reads results, as a user's own script would

    spec = generator.spec
    results: dict[str, Any] = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "generator": {"name": spec.name, "fingerprint": spec.fingerprint, "world": spec.world,
                      "licence": spec.licence},
        "runs": {},
    }  # fmt: skip
    before = _earlier(request.out / RESULTS_FILE, results["generator"])
    done = {(entry["protocol"], entry["data"]) for part in parts for entry in part["runs"].values()}
    done |= {(entry["protocol"], entry["data"]) for entry in left_out}
    for name in LISTS:
        results[name] = [
            entry for entry in before.get(name, []) if (entry.get("protocol"), entry["data"]) not in done
        ]  # fmt: skip
    results["heads"] = [entry for entry in results["heads"] if entry["data"] != request.data_name]
    results["runs"] = {
        title: run for title, run in before.get("runs", {}).items() if (run["protocol"], run["data"]) not in done
    }
    for part in [*parts, {"heads": heads, "left_out": left_out}]:
        results["runs"] |= part.get("runs", {})
        for name in LISTS:
            results[name] += part.get(name, [])
    results = plain(results)
    with atomic_write(request.out / RESULTS_FILE) as path:
        path.write_text(json.dumps(results, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    write_report(request.out, results)
    return results


def read_results(folder: Path) -> dict[str, Any]:
    """Read the results of a run.

    Raises:
        InputError: There are none, they are damaged, or of another version of the schema.
    """
    path = folder / RESULTS_FILE if folder.is_dir() else folder
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} holds no results of toolkit bench ({error})") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InputError(f"{path} is no results file of toolkit bench")
    if found.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"{path} has schema version {found.get('schema_version')!r}, this toolkit reads {SCHEMA_VERSION}: "
            "run the same bench command again (what is known is not computed anew)"
        )
    return found


def _failures(request: BenchRequest, found: Found) -> list[Record]:
    failures: list[Record] = _groundwork_failure(found.groundwork, request.protocol.title)
    for method, records in found.cells.items():
        for record in records:
            facts = {"method": method, "item": record["item"]}
            if record["error"] is not None:
                failures.append({**facts, "stage": record["stage"], "error": record["error"]})
            lost = {saying["target"]: saying["error"] for saying in record.get("scores") or [] if "error" in saying}
            failures += [{**facts, "stage": "read", "target": target, "error": why} for target, why in lost.items()]
    failures += [
        {"method": method, "item": None, "stage": "build", "error": reason}
        for method, reason in request.broken_methods.items()
    ]
    return failures


def _groundwork_failure(records: Sequence[Record], protocol: str) -> list[Record]:
    """One sentence, however many pieces failed."""
    lost = [record for record in records if record["error"] is not None]
    if not lost:
        return []
    why = f"{lost[0]['error']} ({len(lost)} of {len(records)} pieces failed)"
    error = f"{protocol} has no numbers, because its {lost[0]['groundwork']} could not be made: {why}"
    return [{"method": None, "item": None, "stage": "groundwork", "error": error}]


def _earlier(path: Path, generator: dict[str, Any]) -> dict[str, Any]:
    """What the folder holds already, if it is of this generator and readable."""
    try:
        found = read_results(path)
    except InputError:
        return {}
    return found if found.get("generator") == generator else {}
