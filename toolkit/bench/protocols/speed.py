"""Protocol `speed`: what an inversion costs, in all and by stage, and what a view of it costs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from toolkit.bench.protocols.pictures import PictureCells
from toolkit.bench.protocols.rows import Cell
from toolkit.bench.protocols.scoring import OpenMetrics, Saying
from toolkit.bench.records.store import Record
from toolkit.bench.subjects.heads import InvertedHead
from toolkit.bench.subjects.inputs import read_item
from toolkit.bench.subjects.inversions import Contender, Inversions
from toolkit.metrics.effort import measured

if TYPE_CHECKING:
    from toolkit.interfaces import Generator

RENDER = "render"
"""The stage of looking at an inversion once, by the input's camera."""
_SUMS = ("total",)
"""Names of timings that are no stage."""


def effort_scores(metrics: OpenMetrics, record: Record | None) -> list[Saying]:
    """What the record of an inversion says about its cost.

    Seconds count only for a warm method: the first inversion of a process includes what is done once. Of renders made
    elsewhere only what was told is said.
    """
    facts = record or {}
    sayings = []
    for name in metrics.taking("number"):
        if name not in facts:
            continue
        value = facts[name]
        if value is None:
            sayings.append(Saying(name, math.nan, 0, 1))
        elif name != "seconds" or facts["warm"]:
            sayings.append(Saying(name, float(value), 1, 0))
        else:
            sayings.append(Saying(name, math.nan, 0, 0))
    return sayings


class Speed(PictureCells):
    """Cells are pictures; inversions are those of the other protocols, timed when they were made."""

    def measure(self, contender: Contender, cell: Cell, inversions: Inversions, generator: Generator) -> list[Record]:
        """Times of one method on one picture.

        Raises:
            CellError: The picture cannot be read or the method fails.
        """
        item = read_item(self.data, cell.uses[0])
        head = inversions.head(contender, item)
        record = inversions.record(contender, item)
        sayings = effort_scores(self.metrics, record)
        if isinstance(head, InvertedHead) and "seconds" in self.metrics.samples:
            if record is not None and record["warm"]:
                stages = {name: value for name, value in head.inversion.timings.items() if name not in _SUMS}
                sayings += [Saying(f"seconds@{name}", value, 1, 0) for name, value in sorted(stages.items())]
            head.input_view()  # the first look may copy a tuned generator
            with measured(generator.device) as effort:
                head.render(item.camera)
            sayings.append(Saying(f"seconds@{RENDER}", effort.seconds, 1, 0))
        return [saying.as_json() for saying in sayings]
