"""What a perceptual distance must offer, so that losses, metrics and optimisers can take any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class Perceptual(Protocol):
    """A differentiable distance between images that is a distance between embeddings: each image is embedded once."""

    name: str

    def embed(self, image: Tensor) -> tuple[Tensor, ...]:
        """Embed images [B, 3, H, W] in [-1, 1]."""
        ...

    def distance(self, first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> Tensor:
        """Mean over images of the distance between embeddings: a scalar >= 0, lower is more alike."""
        ...
