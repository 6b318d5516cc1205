"""Protocol `reconstruction`: the input view of an inversion against the input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.bench.protocols.pictures import PictureCells
from toolkit.bench.protocols.rows import Cell
from toolkit.bench.protocols.scoring import Evidence, score
from toolkit.bench.protocols.speed import effort_scores
from toolkit.bench.records.store import Record
from toolkit.bench.subjects.inputs import read_item
from toolkit.bench.subjects.inversions import Contender, Inversions

if TYPE_CHECKING:
    from toolkit.interfaces import Generator


class Reconstruction(PictureCells):
    """Cells are pictures."""

    def measure(self, contender: Contender, cell: Cell, inversions: Inversions, generator: Generator) -> list[Record]:
        """Scores of one method on one picture.

        Raises:
            CellError: The picture cannot be read or the method fails.
        """
        item = read_item(self.data, cell.uses[0])
        image = inversions.head(contender, item).input_view().image
        regions = {} if item.mask is None else {"head": item.mask[None]}
        sayings = score(self.metrics, Evidence(image, item.image[None], item.camera, regions))
        sayings += effort_scores(self.metrics, inversions.record(contender, item))
        return [saying.as_json() for saying in sayings]
