"""Comparing inversion methods: protocols, a resumable runner, results with intervals and counts, a report."""

from __future__ import annotations

from toolkit.bench.execution.runner import rehearse_suite, run_bench, run_suite
from toolkit.bench.execution.work import BenchRequest
from toolkit.bench.protocols.protocol import BenchProtocol, open_protocol, open_protocols, protocol_names
from toolkit.bench.records.results import read_results
from toolkit.bench.report import as_tables, write_report
from toolkit.bench.subjects.contenders import method_names, open_contenders
from toolkit.bench.subjects.inversions import CellError, Contender

__all__ = [
    "BenchProtocol",
    "BenchRequest",
    "CellError",
    "Contender",
    "as_tables",
    "method_names",
    "open_contenders",
    "open_protocol",
    "open_protocols",
    "protocol_names",
    "read_results",
    "rehearse_suite",
    "run_bench",
    "run_suite",
    "write_report",
]
