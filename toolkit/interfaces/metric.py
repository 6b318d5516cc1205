"""What a metric must offer, in torchmetrics' manner: update, compute, and states that merge across processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

from typing_extensions import Self

if TYPE_CHECKING:
    from torch import Tensor

Direction = Literal["lower", "higher"]
Takes = Literal["images", "pair", "distribution", "faces", "camera", "depth", "mask", "number"]
"""What `update` is given; the benchmark feeds a metric by it.

- images: (image, target[, region]): [B, 3, H, W] in [-1, 1] twice, region [B, 1, H, W] weights;
- pair: (image, target): like images, without regions;
- faces: (image, target, camera): like pair, and the camera of both;
- distribution: (images, real): [B, 3, H, W] in [-1, 1], and whether they are of the side compared with;
- camera: (image, camera): what was rendered, and the camera that was asked for;
- depth: (depth, target, region): [B, 1, H, W] distances along unit rays, and where both count;
- mask: (mask, target): [B, 1, H, W] in [0, 1];
- number: (numbers): a measured quantity [B] or a float.
"""


class Score(NamedTuple):
    """The value of a metric over everything it saw."""

    value: float
    used: int
    """Items that entered the value."""
    failed: int
    """Items that could not be scored (no face found, say); never silently dropped."""


@runtime_checkable
class Metric(Protocol):
    """A measure of the benchmark: it takes in batch after batch and computes one score."""

    name: str
    direction: Direction
    unit: str
    backend: str
    """Which networks computed it ('none', 'embedded', or a network's name)."""
    takes: Takes
    """What `update` is given."""

    def update(self, *args: object) -> None:
        """Take in one batch (see `takes`)."""
        ...

    def compute(self) -> Score:
        """Score everything seen so far."""
        ...

    def merge(self, other: Self) -> None:
        """Take in another process's state."""
        ...


@runtime_checkable
class ScoresItems(Protocol):
    """Capability of a metric: it scores each item of a batch, so that a GPU can see many at once."""

    def score(self, *args: Any) -> Tensor:
        """Scores [B] of what `update` takes; NaN marks an item that cannot be scored. Changes no state."""
        ...


@runtime_checkable
class UsesNetworks(Protocol):
    """Capability of a metric: it tells the files of its networks; values by other files are of another metric."""

    networks: Mapping[str, str]
    """sha256 by file name."""


@runtime_checkable
class NeedsSize(Protocol):
    """Capability of a metric: it cannot score small images."""

    smallest_side: int
    """Side in pixels of the smallest images that it can score."""


class FeatureExtractor(Protocol):
    """A network that turns images into feature vectors.

    Features are kept between runs by its name: other weights have another one.
    """

    name: str
    size: int
    """Length of a feature vector."""

    def features(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W] in [-1, 1] to features [B, size]."""
        ...


@runtime_checkable
class ComparesFeatures(Protocol):
    """Capability of a metric that takes 'distribution': features may be computed elsewhere, and kept."""

    extractor: FeatureExtractor

    def update_features(self, features: Tensor, real: bool = False) -> None:
        """Take in features [B, size] that the extractor computed; `real` is the side that is compared with."""
        ...


@runtime_checkable
class Resamples(Protocol):
    """Capability of a metric that compares features: its values on resamples, for intervals."""

    def resampled(self, real: Tensor, made: Tensor, counts: Tensor) -> Tensor:
        """Distances [B] of features `real` [n1, size] from resamples of `made` [n2, size].

        Args:
            real: The side that is compared with.
            made: The other side.
            counts: [B, n2], how often each resample holds each sample of `made`; at least two in all.
        """
        ...
