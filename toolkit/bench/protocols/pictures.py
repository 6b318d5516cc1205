"""What protocols share whose cells are single pictures."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from toolkit.bench.execution.work import Groundwork, Numbers
from toolkit.bench.protocols.protocol import BenchProtocol
from toolkit.bench.protocols.rows import Cell, Frame, paired_rows
from toolkit.bench.protocols.scoring import OpenMetrics
from toolkit.bench.records.store import Record
from toolkit.bench.subjects.inputs import single_cells
from toolkit.data import ImageFolder


class PictureCells:
    """One cell per picture, one row per method and metric; a protocol adds `measure`."""

    cells: list[Cell]
    groundwork: Groundwork | None = None
    choices: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, data: ImageFolder, metrics: OpenMetrics, limit: int | None, protocol: BenchProtocol) -> None:
        """Find the pictures.

        Raises:
            InputError: No subject has a picture from where the protocol looks.
        """
        self.data, self.metrics = data, metrics
        self.cells = single_cells(data, protocol, limit)

    def holds(self, record: Record) -> bool:
        """Records of these protocols refer to no files."""
        return True

    def numbers(self, frame: Frame, records: dict[str, list[Record]]) -> Numbers:
        """Rows of all methods."""
        found = [paired_rows(frame, method, self.cells, each, self.metrics.samples) for method, each in records.items()]
        return Numbers([row for rows in found for row in rows])
