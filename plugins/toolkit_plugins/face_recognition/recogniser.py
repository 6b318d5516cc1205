"""A face recogniser: residual trunk and one dense layer, to a unit vector."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from toolkit.encoders.networks.irse import DEEPEST, UNITS, WIDTH, ResidualTrunk
from toolkit.encoders.networks.style_encoder import check_image


@dataclass(frozen=True)
class RecogniserConfig:
    """Sizes; the defaults are ArcFace's."""

    embedding: int = 512
    """Length of the vector."""
    image_size: int = 112
    """Side of the aligned crop, a multiple of 16."""
    width: int = WIDTH
    units: tuple[int, ...] = UNITS[50]
    attention: bool = True
    affine: bool = True
    """Whether the last normalisation has a scale and a shift."""
    dropout: float = 0.6

    def __post_init__(self) -> None:
        """Take units from JSON, which has lists."""
        object.__setattr__(self, "units", tuple(self.units))


class FaceRecogniser(ResidualTrunk):
    """Aligned face crops to unit vectors; implements `FaceEmbedder`."""

    def __init__(self, config: RecogniserConfig | None = None) -> None:
        """Lay out trunk and output layer."""
        self.config = config = config or RecogniserConfig()
        super().__init__(3, config.width, config.units, attention=config.attention)
        deep, side = self.widths[-1], config.image_size // DEEPEST
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(deep),
            nn.Dropout(config.dropout),
            nn.Flatten(),
            nn.Linear(deep * side**2, config.embedding),
            nn.BatchNorm1d(config.embedding, affine=config.affine),
        )

    def forward(self, face: Tensor) -> Tensor:
        """Unit vectors [B, embedding] of aligned RGB crops [B, 3, P, P] in [-1, 1].

        Raises:
            InputError: The crops have another size.
        """
        check_image(face, 3, self.config.image_size)
        vector = self.output_layer(self.deepest(face))
        return vector / torch.linalg.vector_norm(vector, dim=1, keepdim=True)

    def embed(self, face: Tensor) -> Tensor:
        """The same under the contract's name."""
        result: Tensor = self(face)
        return result
