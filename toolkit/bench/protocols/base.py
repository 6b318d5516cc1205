"""What a protocol is: the items that it asks every method about, what it measures on one, and the rows over all.

A protocol is a class that a plugin registers (`register_protocols`); the built-in ones register in the same way. It
derives from `BenchProtocol`, whose own items are single pictures, and adds `measure`:

```python
class Brightness(BenchProtocol):
    shipped = {"metrics": ["l2"], "about": "How near is the head's view by the input's camera to the input?"}

    def measure(self, method, item, inversions):
        picture = read_item(self.data, item.uses[0])
        view = inversions.head(method, picture).input_view()
        return score(self.metrics, MetricInputs(view.image, picture.image[None], picture.camera))
```
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from toolkit.bench.protocols.comparisons import RESAMPLED
from toolkit.bench.protocols.features import are_kept, extractors_of
from toolkit.bench.protocols.rows import RowOrigin, paired_rows
from toolkit.bench.protocols.scoring import OpenMetrics
from toolkit.bench.protocols.settings import ProtocolSettings
from toolkit.bench.records.schema import CurvePoint, Difference, Row
from toolkit.bench.records.units import CellRecord, Scores
from toolkit.bench.subjects.inputs import BenchItem, input_pictures
from toolkit.bench.subjects.inversions import Inversions
from toolkit.bench.subjects.methods import ComparedMethod
from toolkit.errors import InputError
from toolkit.interfaces import IndexedDataset

if TYPE_CHECKING:
    from toolkit.camera import Camera
    from toolkit.interfaces import Generator

MEAN_INTERVAL = "95 % bootstrap interval of the mean (whole subjects are drawn with replacement, 1000 times)"


class Numbers(NamedTuple):
    """What a protocol's records amount to, as results hold it."""

    rows: list[Row]
    curves: Sequence[CurvePoint] = ()
    comparisons: Sequence[Difference] = ()
    """Of methods, where they do not follow from values per item."""


class Precompute(Protocol):
    """What a protocol needs and no method does, in pieces that can be made anywhere and in any order."""

    name: str
    """In the plural, as progress, forecasts and failures call it."""

    @property
    def pieces(self) -> Mapping[str, int]:
        """How large each piece is, by what it is called."""
        ...

    def key(self, piece: str) -> str:
        """Identity of a piece, over everything that decides its result."""
        ...

    def holds(self, piece: str) -> bool:
        """Whether a piece is there."""
        ...

    def make(self, piece: str) -> None:
        """Make a piece and keep it in the run's folder; whatever it raises costs the protocol's rows."""
        ...


@dataclass(frozen=True)
class ProtocolContext:
    """What a protocol is opened with."""

    settings: ProtocolSettings
    data: IndexedDataset
    metrics: OpenMetrics
    limit: int | None
    """Subjects at most, or pictures where every picture is an input."""
    folder: Path
    """For files of features."""
    generator: Generator
    sampled: bool = False
    """Whether the data are read from files, so that a subset of them is drawn; what makes itself is drawn anyway."""


class BenchProtocol(ABC):
    """One way to measure methods; see the text of the module."""

    shipped: ClassVar[Mapping[str, Any]] = {}
    """Settings that its name stands for, where no YAML file of the toolkit says so (keys of `ProtocolSettings`)."""
    starts: ClassVar[tuple[float, ...]] = ()
    """Yaws in degrees of the pictures that are inverted of each subject, where settings name none; empty: all."""
    interval: ClassVar[str] = MEAN_INTERVAL
    """What `low` and `high` of its rows are, for a reader."""
    comparison: ClassVar[str] = RESAMPLED
    """How two methods are compared, for a reader."""
    precompute: Precompute | None = None
    """What has to be there before rows can be made; None where items are enough."""

    def __init__(self, context: ProtocolContext) -> None:
        """Find the items.

        Raises:
            InputError: The data cannot serve the protocol; the sentence says why.
        """
        self.settings, self.data, self.metrics = context.settings, context.data, context.metrics
        self.folder, self.generator, self.sampled = context.folder, context.generator, context.sampled
        self.items = self.find_items(context.limit)

    @classmethod
    def check_metrics(cls, settings: ProtocolSettings, metrics: OpenMetrics) -> None:
        """Refuse metrics with which nothing can be measured, before pictures are made.

        Raises:
            InputError: There is none.
        """
        if not metrics.samples:
            why = "; ".join(dict.fromkeys(metrics.unavailable.values())) or "none is installed for this backend"
            raise InputError(f"{settings.title} has no metric that can be computed ({why})")

    @property
    def inputs(self) -> tuple[float, ...]:
        """Yaws in degrees of the pictures that are inverted of each subject; empty: all."""
        return self.settings.input_yaws or self.starts

    @property
    def draw(self) -> int | None:
        """Seed of the subset that a limit takes; None: the first ones."""
        return self.settings.seed if self.sampled and self.settings.subset == "random" else None

    @property
    def choices(self) -> Mapping[str, Any]:
        """What its numbers depend on besides settings; results record it."""
        return {}

    @property
    def extent(self) -> int:
        """What results on one item depend on besides its pictures: 0, or the number of items where they share yaws."""
        return 0

    def find_items(self, limit: int | None) -> list[BenchItem]:
        """What every method is asked about: here single pictures, of data sets with subjects and of others.

        Raises:
            InputError: No subject has a picture from where the protocol looks.
        """
        data = self.data
        return [
            BenchItem(data.names[index], data.subjects[index] or data.names[index], uses=(index,))
            for index in input_pictures(data, self.settings, self.inputs, limit, self.draw, alone=True)
        ]

    @abstractmethod
    def measure(self, method: ComparedMethod, item: BenchItem, inversions: Inversions) -> Scores:
        """Work on one item; raises UnitError where that fails."""

    def holds(self, record: CellRecord) -> bool:
        """Whether a record needs no repetition: all was read, and the files that it refers to are still there."""
        return all(score.error is None for score in record.measured) and self.holds_features(record)

    def holds_features(self, record: CellRecord) -> bool:
        """Whether the files that a record refers to are still there, with features of every network of this run."""
        extractors = extractors_of(self.metrics)
        return all(are_kept(self.folder / each.features, extractors) for each in record.features)

    def numbers(self, origin: RowOrigin, records: Mapping[str, list[CellRecord]]) -> Numbers:
        """Rows, curves and comparisons from the records of each method's items."""
        samples = self.metrics.samples
        found = [paired_rows(origin, method, self.items, each, samples) for method, each in records.items()]
        return Numbers([row for rows in found for row in rows])

    def other_views(self, item: BenchItem) -> list[Camera]:
        """Cameras of the views that it needs besides those of the item's pictures."""
        return []
