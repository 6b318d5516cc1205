"""Methods as they enter a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from toolkit.bench.records.units import InversionRecord
from toolkit.data.prints import checked_prints
from toolkit.interfaces import Method
from toolkit.interfaces.method import KnowsItsPictures

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.bench.subjects.heads import Head
    from toolkit.camera import Camera
    from toolkit.interfaces import Generator, Item
    from toolkit.inversion import Inversion


MACHINE = "machine"
"""Stage of what failed because of the machine (see `toolkit.machine_failures`): always tried again."""
TIME_LIMIT = "time_limit"
"""Stage of what took too long: tried again where the limit is another one."""
TRIED_AGAIN = ("read", MACHINE, "worker", TIME_LIMIT)
"""Stages that say nothing of the method: such units are done again by the next run."""


class UnitError(Exception):
    """A unit of work failed. Only its own numbers are lost; the failure is listed, and the run continues."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(message)
        self.stage = stage


@runtime_checkable
class HeadSource(Protocol):
    """Takes the place of a method: it has finished renders of an item instead of an inversion."""

    def head(self, item: Item) -> Head:
        """The renders of an item; raises UnitError where there are none."""
        ...

    def record(self, item: Item) -> InversionRecord | None:
        """What was told about how an item's were made."""
        ...


@runtime_checkable
class Inverts(Protocol):
    """The least of a method: a stranger's may lack the rest of the contract."""

    def invert(self, image: Tensor, camera: Camera, generator: Generator) -> Inversion:
        """Invert one picture (see `Method.invert`)."""
        ...


@dataclass(frozen=True)
class ComparedMethod:
    """A method as it enters a comparison."""

    name: str
    inverter: Inverts | HeadSource | None
    """None: only what was recorded of it is at hand."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the user set."""
    weights: str = ""
    """sha256 of the checkpoint that the user named."""
    recorded: str = ""
    """The fingerprint of a method that is not opened, or tells none (then one of this run alone)."""
    undone: tuple[str, ...] = ()
    """What building it changed of the generator or the process, and was put back."""
    renamed_from: str = ""
    """The method's own name, where the row has another."""

    @property
    def fingerprint(self) -> str:
        """Of everything else that its results depend on (see `Method.fingerprint`)."""
        return self.inverter.fingerprint if isinstance(self.inverter, Method) else self.recorded

    @property
    def trained_on(self) -> Tensor | None:
        """Prints of the pictures that it was trained on; None: not known."""
        return checked_prints(self.inverter.trained_on) if isinstance(self.inverter, KnowsItsPictures) else None

    @property
    def identity(self) -> list[Any]:
        """What an inversion depends on besides picture and generator."""
        return [self.name, dict(self.options), self.weights, self.fingerprint]
