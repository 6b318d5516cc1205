"""Comparing inversion methods: protocols, a resumable runner, results with intervals and counts, a report."""

from __future__ import annotations

from toolkit.bench.execution.call import run
from toolkit.bench.execution.run import rehearse_suite, run_suite
from toolkit.bench.execution.runs import BenchRequest
from toolkit.bench.protocols.base import BenchProtocol
from toolkit.bench.protocols.registered import open_protocol, open_protocols, protocol_names
from toolkit.bench.protocols.settings import ProtocolSettings
from toolkit.bench.records.results import read_results
from toolkit.bench.records.schema import Results, Row
from toolkit.bench.report import as_tables, write_report
from toolkit.bench.subjects.description import method_names, open_methods
from toolkit.bench.subjects.methods import ComparedMethod, UnitError

__all__ = [
    "BenchProtocol",
    "BenchRequest",
    "ComparedMethod",
    "ProtocolSettings",
    "Results",
    "Row",
    "UnitError",
    "as_tables",
    "method_names",
    "open_methods",
    "open_protocol",
    "open_protocols",
    "protocol_names",
    "read_results",
    "rehearse_suite",
    "run",
    "run_suite",
    "write_report",
]
