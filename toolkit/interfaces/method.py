"""What an inversion method must offer, and what a trainable one offers besides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from torch.optim import Optimizer

    from toolkit.camera import Camera
    from toolkit.interfaces.generator import Generator
    from toolkit.inversion import Inversion

INTERFACE_VERSION = 1


@runtime_checkable
class Method(Protocol):
    """Turns an image and its camera into an inversion."""

    def invert(self, image: Tensor, camera: Camera, generator: Generator) -> Inversion:
        """Invert one image [1, 3, S, S] in [-1, 1] (background removed), seen by `camera` (batch of 1)."""
        ...


@runtime_checkable
class Trainable(Protocol):
    """What the training loop drives: a method, an encoder or a generator that learns."""

    def modules(self) -> Mapping[str, Module]:
        """The networks that are trained and saved, by name."""
        ...

    def optimisers(self) -> Mapping[str, Optimizer]:
        """The optimisers, by name; their state is saved with checkpoints."""
        ...

    def training_step(self, batch: Any, step: int) -> Mapping[str, float]:
        """Take one optimisation step; return the losses to log, by name."""
        ...
