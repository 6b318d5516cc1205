"""What a stitcher must offer: one representation out of a visible and an occluded one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.interfaces.generator import Generator


@runtime_checkable
class Stitcher(Protocol):
    """Differentiable in all three arguments."""

    def stitch(self, visible: Tensor, occluded: Tensor, occlusion: Tensor) -> Tensor:
        """Join planes; `occlusion` in [0, 1] is already expanded to their shape, 1 = take `occluded`."""
        ...


@runtime_checkable
class Softening(Protocol):
    """Optional: a stitcher that changes the mask before it is expanded."""

    def soften(self, occupancy: Tensor, generator: Generator) -> Tensor:
        """Change an occlusion in the generator's own occupancy shape; values stay in [0, 1]."""
        ...
