"""e4e's encoder: one w for all layers, and a delta per layer. The training adds the deltas one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, StyleEncoderConfig, level_of
from toolkit.errors import InputError

FULL_STAGE = 18
"""All deltas, whatever their number: inference."""
STAGE_LENGTH = 2000
"""Training steps between two stages."""


class ProgressiveEncoder(GradualStyleEncoder):
    """The first style is w; every other block adds its delta to its own layer only."""

    def __init__(self, config: StyleEncoderConfig | None = None) -> None:
        """Lay out the network at the full stage."""
        super().__init__(config)
        self.stage = FULL_STAGE
        """How many deltas act (0: the same w everywhere)."""

    def forward(self, image: Tensor, stage: int | None = None) -> Tensor:
        """Encode images.

        Args:
            image: [B, 3, S, S] in [-1, 1].
            stage: How many deltas act; None takes `self.stage`.

        Returns:
            Offsets [B, styles, style_dim] from the generator's average w.

        Raises:
            InputError: The image has another size, or the stage is negative.
        """
        stage = self.stage if stage is None else stage
        if stage < 0:
            raise InputError(f"stage must be at least 0, got {stage}")
        last = min(stage, self.config.styles - 1)
        maps = self.levels(image, last + 1)
        w = self.styles[0](maps[0])
        deltas = [torch.zeros_like(w)] * self.config.styles
        for index in range(1, last + 1):
            deltas[index] = self.styles[index](maps[level_of(index)])
        return w[:, None] + torch.stack(deltas, dim=1)


def stage_starts(styles: int, first: int, every: int = STAGE_LENGTH) -> list[int]:
    """Training steps at which the stages 0 ... styles - 1 begin: 0, first, first + every, ..."""
    return [0, *(first + every * index for index in range(styles - 1))]


def stage_at(step: int, starts: Sequence[int] | None) -> int:
    """The stage of a training step; without a schedule all deltas act."""
    if starts is None:
        return FULL_STAGE
    return max(sum(start <= step for start in starts) - 1, 0)
