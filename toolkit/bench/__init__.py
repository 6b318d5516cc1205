"""Comparing inversion methods: protocols, a resumable runner, results with intervals and counts."""

from __future__ import annotations

from toolkit.bench.contenders import method_names, open_contenders
from toolkit.bench.inversions import CellError, Contender
from toolkit.bench.protocol import BenchProtocol, open_protocol, protocol_names
from toolkit.bench.runner import BenchRequest, run_bench
from toolkit.bench.table import as_tables

__all__ = [
    "BenchProtocol",
    "BenchRequest",
    "CellError",
    "Contender",
    "as_tables",
    "method_names",
    "open_contenders",
    "open_protocol",
    "protocol_names",
    "run_bench",
]
