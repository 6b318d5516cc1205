"""Protocol `speed`: what an inversion costs, in all and by stage, and what a view of it costs."""

from __future__ import annotations

from toolkit.bench.protocols.base import BenchProtocol
from toolkit.bench.protocols.scoring import OpenMetrics, no_score
from toolkit.bench.records.units import InversionRecord, ScoreRecord, Scores
from toolkit.bench.subjects.inputs import BenchItem, read_item
from toolkit.bench.subjects.inversions import Inversions
from toolkit.bench.subjects.inverted_head import InvertedHead
from toolkit.bench.subjects.methods import ComparedMethod
from toolkit.metrics.effort import measured

RENDER = "render"
"""The stage of looking at an inversion once, by the input's camera."""
_SUMS = ("total",)
"""Names of timings that are not stages."""


def effort_scores(metrics: OpenMetrics, record: InversionRecord | None) -> list[ScoreRecord]:
    """What the record of an inversion says about its cost.

    Seconds count only for a warm method: the first inversion of a process includes what is done once. Of renders made
    elsewhere only what was told is said.
    """
    if record is None:
        return []
    scores = []
    for name in metrics.taking("number"):
        if name not in record.effort:
            continue
        value = record.effort[name]
        if value is None:
            scores.append(no_score(name))
        elif name != "seconds" or record.warm:
            scores.append(_number(name, value))
        else:
            scores.append(no_score(name, failed=0))
    return scores


class Speed(BenchProtocol):
    """Items are pictures; inversions are those of the other protocols, timed when they were made."""

    def measure(self, method: ComparedMethod, item: BenchItem, inversions: Inversions) -> Scores:
        """Times of one method on one picture.

        Raises:
            UnitError: The picture cannot be read or the method fails.
        """
        picture = read_item(self.data, item.uses[0])
        head = inversions.head(method, picture)
        record = inversions.record(method, picture)
        scores: Scores = [*effort_scores(self.metrics, record)]
        if isinstance(head, InvertedHead) and "seconds" in self.metrics.samples:
            if record is not None and record.warm:
                stages = {name: value for name, value in head.inversion.timings.items() if name not in _SUMS}
                scores += [_number(f"seconds@{name}", value) for name, value in sorted(stages.items())]
            head.input_view()  # the first look may copy a tuned generator
            with measured(self.generator.device) as effort:
                head.render(picture.camera)
            scores.append(_number(f"seconds@{RENDER}", effort.seconds))
        return scores


def _number(label: str, value: float) -> ScoreRecord:
    return ScoreRecord(metric=label, value=float(value), used=1, failed=0)
