"""Protocol `reconstruction`: the input view of an inversion against the input."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from toolkit.bench.inversions import CellError, Contender, Inversions
from toolkit.bench.rows import Cell, Frame, paired_rows
from toolkit.bench.scoring import Evidence, OpenMetrics, Saying, score
from toolkit.bench.store import Record
from toolkit.data import ImageFolder
from toolkit.errors import ToolkitError
from toolkit.interfaces import Item, Metric

if TYPE_CHECKING:
    from toolkit.interfaces import Generator


def read_item(data: ImageFolder, index: int) -> Item:
    """Read an item.

    Raises:
        CellError: It is missing or damaged.
    """
    try:
        return data[index]
    except (ToolkitError, OSError) as error:
        raise CellError("read", str(error)) from error


class Reconstruction:
    """Cells are pictures; every picture of the data set is an input."""

    def __init__(self, data: ImageFolder, metrics: OpenMetrics, limit: int | None) -> None:
        self._data, self.metrics = data, metrics
        count = len(data) if limit is None else min(limit, len(data))
        self.cells = [Cell(data.names[index], data.subjects[index] or data.names[index]) for index in range(count)]

    def measure(self, contender: Contender, cell: Cell, inversions: Inversions, generator: Generator) -> list[Record]:
        """Scores of one method on one picture.

        Raises:
            CellError: The picture cannot be read or the method fails.
        """
        item = read_item(self._data, self._data.names.index(cell.id))
        inversion = inversions.get(contender, item)
        image = inversion.render(generator).image.cpu()
        regions = {} if item.mask is None else {"head": item.mask[None]}
        sayings = score(self.metrics, Evidence(image, item.image[None], item.camera, regions))
        return [saying.as_json() for saying in [*sayings, *self._effort(inversions.record(contender, item))]]

    def _effort(self, record: Record | None) -> list[Saying]:
        """Seconds count only for a warm method: the first inversion of a process includes what is done once."""
        facts = record or {}
        sayings = []
        for name in self.metrics.taking("number"):
            value = facts.get(name)
            if value is None:
                sayings.append(Saying(name, math.nan, 0, 1))
            elif name != "seconds" or facts["warm"]:
                sayings.append(Saying(name, float(value), 1, 0))
            else:
                sayings.append(Saying(name, math.nan, 0, 0))
        return sayings

    def holds(self, record: Record) -> bool:
        """Records of this protocol refer to no files."""
        return True

    def rows(self, frame: Frame, records: dict[str, list[Record]]) -> tuple[list[Record], list[Record]]:
        """Rows of all methods; no curves."""
        samples: dict[str, Metric] = self.metrics.samples
        found = [paired_rows(frame, method, self.cells, each, samples) for method, each in records.items()]
        return [row for rows in found for row in rows], []
