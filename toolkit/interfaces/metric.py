"""What a metric must offer, in torchmetrics' manner: update, compute, and states that merge across processes."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol, runtime_checkable

from typing_extensions import Self

INTERFACE_VERSION = 1
Direction = Literal["lower", "higher"]


class Score(NamedTuple):
    """The value of a metric over everything it saw."""

    value: float
    used: int
    """Items that entered the value."""
    failed: int
    """Items that could not be scored (no face found, say); never silently dropped."""


@runtime_checkable
class Metric(Protocol):
    """A named measure; what `update` takes is said by the metric's own docstring."""

    name: str
    direction: Direction
    unit: str
    backend: str
    """Which networks computed it ('none', 'embedded', or a network's name)."""

    def update(self, *args: object) -> None:
        """Take in one batch."""
        ...

    def compute(self) -> Score:
        """Score everything seen so far."""
        ...

    def merge(self, other: Self) -> None:
        """Take in another process's state."""
        ...
