"""Protocol `reconstruction`: the input view of an inversion against the input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.bench.inputs import read_item, single_cells
from toolkit.bench.inversions import Contender, Inversions
from toolkit.bench.protocol import BenchProtocol
from toolkit.bench.rows import Cell, Frame, paired_rows
from toolkit.bench.scoring import Evidence, OpenMetrics, score
from toolkit.bench.speed import effort_scores
from toolkit.bench.store import Record
from toolkit.data import ImageFolder

if TYPE_CHECKING:
    from toolkit.interfaces import Generator


class Reconstruction:
    """Cells are pictures."""

    def __init__(self, data: ImageFolder, metrics: OpenMetrics, limit: int | None, protocol: BenchProtocol) -> None:
        """Find the pictures.

        Raises:
            InputError: No subject has a picture from where the protocol looks.
        """
        self._data, self.metrics = data, metrics
        self.cells = single_cells(data, protocol, limit)

    def measure(self, contender: Contender, cell: Cell, inversions: Inversions, generator: Generator) -> list[Record]:
        """Scores of one method on one picture.

        Raises:
            CellError: The picture cannot be read or the method fails.
        """
        item = read_item(self._data, cell.uses[0])
        image = inversions.head(contender, item).input_view().image
        regions = {} if item.mask is None else {"head": item.mask[None]}
        sayings = score(self.metrics, Evidence(image, item.image[None], item.camera, regions))
        sayings += effort_scores(self.metrics, inversions.record(contender, item))
        return [saying.as_json() for saying in sayings]

    def holds(self, record: Record) -> bool:
        """Records of this protocol refer to no files."""
        return True

    def rows(self, frame: Frame, records: dict[str, list[Record]]) -> tuple[list[Record], list[Record]]:
        """Rows of all methods; no curves."""
        found = [paired_rows(frame, method, self.cells, each, self.metrics.samples) for method, each in records.items()]
        return [row for rows in found for row in rows], []
