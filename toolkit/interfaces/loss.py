"""What a loss on images must offer, so that trainings can weigh it by its registered name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class ImageLoss(Protocol):
    """Compares renders with the pictures that they should show; differentiable in the first argument."""

    def __call__(self, image: Tensor, target: Tensor) -> Tensor:
        """A scalar >= 0, a mean over images [B, 3, S, S] in [-1, 1]; lower is more alike."""
        ...
