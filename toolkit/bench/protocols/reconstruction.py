"""Protocol `reconstruction`: an inversion, rendered with the input's camera, is compared with the input."""

from __future__ import annotations

from toolkit.bench.protocols.base import BenchProtocol
from toolkit.bench.protocols.metric_inputs import MetricInputs
from toolkit.bench.protocols.scoring import score
from toolkit.bench.protocols.speed import effort_scores
from toolkit.bench.records.units import Scores
from toolkit.bench.subjects.inputs import BenchItem, read_item
from toolkit.bench.subjects.inversions import Inversions
from toolkit.bench.subjects.methods import ComparedMethod


class Reconstruction(BenchProtocol):
    """Each picture is inverted and its own view rendered again; of a subject, one picture is taken."""

    def measure(self, method: ComparedMethod, item: BenchItem, inversions: Inversions) -> Scores:
        """Scores of one method on one picture.

        Raises:
            UnitError: The picture cannot be read or the method fails.
        """
        picture = read_item(self.data, item.uses[0])
        image = inversions.head(method, picture).input_view().image
        regions = {} if picture.mask is None else {"head": picture.mask[None]}
        scores = score(self.metrics, MetricInputs(image, picture.image[None], picture.camera, regions))
        return [*scores, *effort_scores(self.metrics, inversions.record(method, picture))]
