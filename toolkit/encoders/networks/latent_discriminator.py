"""e4e's discriminator, which tells mapped w from encoded ones."""

from __future__ import annotations

from torch import Tensor, nn

from toolkit.interfaces.discriminator import Domain

_SLOPE = 0.2


class LatentDiscriminator(nn.Module):
    """A plain network on one w."""

    domain: Domain = "latents"

    def __init__(self, w_dim: int = 512, layers: int = 4) -> None:
        """Lay out `layers` dense layers, the last to one number."""
        super().__init__()
        parts: list[nn.Module] = []
        for _ in range(layers - 1):
            parts += [nn.Linear(w_dim, w_dim), nn.LeakyReLU(_SLOPE)]
        self.mlp = nn.Sequential(*parts, nn.Linear(w_dim, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Logits [..., 1] of w [..., w_dim]; higher means more like a mapped one."""
        result: Tensor = self.mlp(x)
        return result
