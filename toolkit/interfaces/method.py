"""What an inversion method must offer, and what a long one may offer besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.camera import Camera
    from toolkit.interfaces.generator import Generator
    from toolkit.inversion import Inversion

OnStep = Callable[[int, int, Mapping[str, float]], None]
"""Told after each step: steps done, steps in all, losses by name."""


@runtime_checkable
class Method(Protocol):
    """Turns an image and its camera into an inversion."""

    @property
    def fingerprint(self) -> str:
        """Identity of everything that inversions depend on besides name, options and generator.

        A sha256 of the weights, say; empty for a method that has none. The benchmark keeps inversions by it: a method
        whose weights change under an unchanged fingerprint would get its old inversions back.
        """
        ...

    def invert(self, image: Tensor, camera: Camera, generator: Generator) -> Inversion:
        """Invert one image [1, 3, S, S] in [-1, 1] (background removed), seen by `camera` (batch of 1)."""
        ...


@runtime_checkable
class ReportsProgress(Protocol):
    """Capability of a method: it says how far an inversion is."""

    on_step: OnStep | None
    """Set before `invert`; None: nobody listens."""
