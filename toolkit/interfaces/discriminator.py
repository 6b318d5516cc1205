"""What a discriminator must offer; the adversarial losses around it are the core's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

Domain = Literal["planes", "images", "latents"]


@runtime_checkable
class Discriminator(Protocol):
    """A `torch.nn.Module` that scores samples of one domain; higher means more real.

    Trainings build it by name (`adversary.discriminator=NAME`) and give it what its domain says.
    """

    domain: Domain

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, 1] of planes as images [B, K, H, W], of images [B, 3, S, S], or of latents [B, w_dim]."""
        ...
