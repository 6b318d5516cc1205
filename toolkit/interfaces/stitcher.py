"""What a stitcher must offer: one representation out of a visible and an occluded one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

INTERFACE_VERSION = 1


@runtime_checkable
class Stitcher(Protocol):
    """Differentiable in all three arguments."""

    def stitch(self, visible: Tensor, occluded: Tensor, occlusion: Tensor) -> Tensor:
        """Join planes; `occlusion` in [0, 1] is already expanded to their shape, 1 = take `occluded`."""
        ...
