"""A comparison in one call, from Python."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.bench.execution.run import open_suite
from toolkit.bench.execution.runs import BenchRequest
from toolkit.bench.protocols.registered import open_protocols
from toolkit.bench.subjects.description import RunDescription, method_names

if TYPE_CHECKING:
    from toolkit.bench.records.schema import Results
    from toolkit.bench.subjects.keeping import Keep
    from toolkit.progress import Progress


def run(
    methods: str | Sequence[str],
    data: str | os.PathLike[str] = "heads360",
    out: str | os.PathLike[str] = "bench",
    *,
    protocol: str = "all",
    limit: int | None = None,
    generator: str = "panohead-mini",
    weights: str | os.PathLike[str] | None = None,
    method_weights: Mapping[str, str | os.PathLike[str]] | None = None,
    preset: str | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Sequence[str] = (),
    outside: Sequence[str | os.PathLike[str]] = (),
    backend: str = "auto",
    domain: str = "wild",
    device: str = "auto",
    threads: int | None = None,
    engine: str = "local",
    workers: int | None = None,
    keep: Keep = "exact",
    time_limit: float | None = None,
    arithmetic: Sequence[str] = (),
    progress: Progress | None = None,
) -> Results:
    """Compare methods, or resume a comparison: what `toolkit bench` does, with the same numbers.

    Args:
        methods: Names of methods, as a list or with commas; `all` stands for every headline method, and `ROW=METHOD`
            for a method under another name, with settings and weights of its own.
        data: A data folder or zip, READER:PATH, or the name of a data set that makes itself.
        out: Folder of the run; the same call resumes it.
        protocol: Names of protocols or YAML files with commas; `all`: every one that the data permits.
        limit: Subjects (or pictures) at most.
        generator: What to invert into.
        weights: Weights of the generator; None: its own.
        method_weights: Checkpoints by method.
        preset: Preset of all methods that know it.
        options: Settings by method.
        settings: Settings of the protocols, `KEY=VALUE`.
        outside: Folders of renders that were made elsewhere, each as one more method.
        backend: Metric networks: auto, reference, embedded or none.
        domain: Of a data set that makes itself.
        device: Where to compute.
        threads: CPU threads; None: torch's choice.
        engine: local, processes or ray; the address of a Ray cluster is read from RAY_ADDRESS.
        workers: Processes of the engine.
        keep: How much of each inversion stays on the disk.
        time_limit: Seconds that an inversion may take; a method, or another part of a stranger's plugin, that takes
            longer is ended, and named.
        arithmetic: Of `toolkit.devices.ARITHMETIC`: faster and less exact; results record it.
        progress: Hears of every unit of work.

    Returns:
        What results.json holds. What failed is in it: `results.failures`.

    Raises:
        ToolkitError: Something that no method could survive.
    """
    names = method_names(methods if isinstance(methods, str) else ",".join(methods))
    requests = [
        BenchRequest(each, os.fspath(data), Path(out), limit, backend, domain, keep=keep)
        for each in open_protocols(protocol, list(settings))
    ]
    files = {method: Path(file) for method, file in (method_weights or {}).items()}
    described = RunDescription(
        generator, None if weights is None else Path(weights), device, threads, tuple(names), tuple(requests),
        options or {}, files, preset, tuple(map(Path, outside)), time_limit, tuple(arithmetic),
    )  # fmt: skip
    return open_suite(described, engine, workers).run(progress)
