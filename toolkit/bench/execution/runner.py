"""Running a comparison: protocols on data, every method on every cell, results and report written at the end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.bench.execution.gallery import complete_frames
from toolkit.bench.execution.plan import Forecast
from toolkit.bench.execution.schedule import Engine, LocalEngine, Progress, Say, Schedule
from toolkit.bench.execution.work import BenchRequest, Digests, Task, Work
from toolkit.bench.protocols.features import distribution_names
from toolkit.bench.protocols.fid360 import Fid360
from toolkit.bench.protocols.gt360 import GroundTruth360
from toolkit.bench.protocols.multiview import MultiView
from toolkit.bench.protocols.reconstruction import Reconstruction
from toolkit.bench.protocols.rows import Frame
from toolkit.bench.protocols.scoring import OpenMetrics, open_metrics
from toolkit.bench.protocols.speed import Speed
from toolkit.bench.records.results import part_of, write_results
from toolkit.bench.records.store import Record, Store
from toolkit.bench.subjects.data import effective_limit, open_data
from toolkit.bench.subjects.inversions import Contender, Inversions
from toolkit.bench.subjects.outside import wanted_renders
from toolkit.data import ImageFolder
from toolkit.data.sources import find_source
from toolkit.errors import InputError
from toolkit.files import atomic_write, check_folder_place

if TYPE_CHECKING:
    from toolkit.interfaces import Generator

CELLS_FILE, WANTED_FILE = "cells.jsonl", "wanted.json"


def run_bench(
    request: BenchRequest, generator: Generator, contenders: Sequence[Contender], progress: Progress | None = None
) -> dict[str, Any]:
    """Run, or go on with, one protocol (see `run_suite`); what hinders it is an error."""
    return run_suite([request], generator, contenders, progress)


def run_suite(
    requests: Sequence[BenchRequest],
    generator: Generator,
    contenders: Sequence[Contender],
    progress: Progress | None = None,
    engine: Engine | None = None,
) -> dict[str, Any]:
    """Run, or go on with, a comparison by several protocols and write results, tables and report into its folder.

    Every method's first picture comes first, in all protocols: after that the time left is known.

    Args:
        requests: One per protocol; they differ in nothing else.
        generator: What all methods invert into.
        contenders: The methods.
        progress: Hears of every piece of work.
        engine: Where it is done; None: in this process.

    Returns:
        What results.json holds.

    Raises:
        InputError: The data can serve none of the protocols, or no metric is available.
        OutputError: The folder cannot be written.
        Interrupted: A signal came; what was in hand is finished, everything is kept.
    """
    first = requests[0]
    check_folder_place(first.out)
    say = progress.note if progress is not None else lambda text: None
    works, left_out = open_works(requests, generator, say)
    _write_wanted(first.out, works)
    engine = engine or LocalEngine()
    found = Schedule(works, contenders, progress, say).run(engine)
    parts = []
    for work in works:
        frame = Frame(work.protocol.title, generator.spec.world, first.data_name, work.protocol.seed)
        say(f"numbers of {work.protocol.title}")
        parts.append(part_of(frame, work, contenders, found[work.protocol.title], engine))
    heads = complete_frames(
        [(work.task.cells, work.digests, work.inversions) for work in works], contenders, parts, say
    )
    return write_results(first, generator, parts, heads, left_out)


def rehearse_suite(
    requests: Sequence[BenchRequest],
    generator: Generator,
    contenders: Sequence[Contender],
    progress: Progress | None = None,
    engine: Engine | None = None,
) -> tuple[Forecast, list[Record]]:
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
    works, left_out = open_works(requests, generator, say)
    return Schedule(works, contenders, progress, say).rehearse(engine or LocalEngine()), left_out


def open_works(
    requests: Sequence[BenchRequest], generator: Generator, say: Say, writes: bool = True
) -> tuple[list[Work], list[Record]]:
    """The protocols that can be run, and why the others cannot; a single one that cannot is an error.

    Args:
        requests: One per protocol.
        generator: What methods invert into.
        say: Hears of what takes a while.
        writes: Whether this process writes records down (a worker leaves that to the one that asked it).

    Raises:
        InputError: The data can serve none of the protocols.
    """
    first, spec = requests[0], generator.spec
    possible: list[tuple[BenchRequest, OpenMetrics]] = []
    left_out: list[Record] = []

    def leave(request: BenchRequest, error: InputError) -> None:
        if len(requests) == 1:
            raise error
        left_out.append({"protocol": request.protocol.title, "data": request.data_name, "reason": str(error)})

    for request in requests:
        metrics = open_metrics(request.protocol.metrics, request.backend, spec.world, spec.image_size)
        try:
            if request.protocol.kind == "fid360":
                distribution_names(metrics)  # before pictures are made
            if not metrics.samples:
                why = "; ".join(dict.fromkeys(metrics.unavailable.values())) or "none is installed for this backend"
                raise InputError(f"{request.protocol.title} has no metric that can be computed ({why})")
            possible.append((request, metrics))
        except InputError as error:
            leave(request, error)
    views = [view for request, _ in possible for view in request.protocol.views]
    if find_source(first.data) is None:
        say(f"pictures of {first.data} (those that are not there yet are made; kept for the next time)")
    data = open_data(first.data, views, spec, first.limit, first.domain)
    store, digests = Store(first.out / CELLS_FILE, writes), Digests(data)
    shared, works = dict[int, Inversions](), []
    for request, metrics in possible:
        seed = request.protocol.seed
        if seed not in shared:
            shared[seed] = Inversions(first.out / "inversions", generator, seed, first.retry_failed, writes)
        try:
            task = _open_task(request, data, metrics, generator)
            works.append(Work(request, generator, task, digests, store, shared[seed]))
        except InputError as error:
            leave(request, error)
    if not works:
        raise InputError("no protocol can be run: " + "; ".join(entry["reason"] for entry in left_out))
    return works, left_out


def _write_wanted(out: Path, works: Sequence[Work]) -> None:
    """Say which renders a method from elsewhere has to bring (see `toolkit.bench.subjects.outside`)."""
    with atomic_write(out / WANTED_FILE) as path:
        path.write_text(json.dumps({"renders": wanted_renders(works)}) + "\n", encoding="utf-8")


def _open_task(request: BenchRequest, data: ImageFolder, metrics: OpenMetrics, generator: Generator) -> Task:
    protocol, limit = request.protocol, effective_limit(request.data, request.limit)
    features = request.out / "features"
    if protocol.kind == "reconstruction":
        return Reconstruction(data, metrics, limit, protocol)
    if protocol.kind == "gt360":
        return GroundTruth360(data, metrics, limit, protocol)
    if protocol.kind == "multiview":
        return MultiView(data, metrics, limit, protocol, features)
    if protocol.kind == "speed":
        return Speed(data, metrics, limit, protocol)
    return Fid360(data, metrics, limit, protocol, features, generator)
