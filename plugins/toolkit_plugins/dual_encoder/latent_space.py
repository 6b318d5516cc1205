"""Encoders into z and z+ (the paper's Table 4): what they put out goes through the generator's mapping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from toolkit.encoders.networks.last_layer import LastLayerConfig, LastLayerW
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, StyleEncoderConfig
from toolkit.interfaces import Generator
from toolkit.latents import map_styles

Space = Literal["z", "z+", "w+"]
TRUNCATION = 0.85
"""Of the mapping, under the frontal camera (the paper)."""


@dataclass(frozen=True)
class CodeShape:
    """What the second stage wants to know about the first, whatever its space."""

    image_size: int
    styles: int
    style_dim: int


class MappedEncoder(nn.Module):
    """Images to offsets from the average w by way of z: one latent per head (z) or one per style (z+)."""

    def __init__(
        self, space: Literal["z", "z+"], sizes: StyleEncoderConfig, generator: Generator, average_latent: Tensor
    ) -> None:
        """Lay out the network.

        Args:
            space: z takes pSp's smaller encoder, which reads the trunk's last map only; z+ the gradual one.
            sizes: Image, trunk and blocks; styles and their length follow from the generator.
            generator: Its mapping is used and stays as it is; it is not part of this module.
            average_latent: [num_ws, w_dim].
        """
        super().__init__()
        latents = generator.spec.latents
        self.space: Literal["z", "z+"] = space
        self.sizes = sizes
        self.config = CodeShape(sizes.image_size, latents.num_ws, latents.w_dim)
        self.network: nn.Module
        if space == "z":
            self.network = LastLayerW(LastLayerConfig(1, latents.z_dim, sizes.width, sizes.units, sizes.in_channels))
        else:
            self.network = GradualStyleEncoder(
                StyleEncoderConfig(
                    latents.num_ws, latents.z_dim, sizes.image_size, sizes.width, sizes.units, sizes.in_channels,
                    sizes.block_width,
                )
            )  # fmt: skip
        # A closure: neither registered as a sub-module nor copied with this one.
        self._map: Callable[[Tensor], Tensor] = lambda z: map_styles(generator, z, TRUNCATION)
        self.register_buffer("average_latent", average_latent.detach().clone(), persistent=False)
        self.average_latent: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """Offsets [B, num_ws, w_dim] from the average w, for images [B, 3, S, S] in [-1, 1]."""
        z = self.network(image)
        return self._map(z[:, None] if z.ndim == 2 else z) - self.average_latent
