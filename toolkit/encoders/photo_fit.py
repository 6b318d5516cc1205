"""What fits of a head to one photo have in common: how many steps, at which rate, and the error of the input view."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from toolkit.configuration import Config
from toolkit.rates import falling

STEPS = 40
"""Usual number of steps."""
Steps = Annotated[int, Field(ge=0, le=10_000)]
Rate = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]


class PhotoFit(Config):
    """A fit to the input view by Adam."""

    steps: Steps | None = None
    """Steps; 0: none. None: 40 after learned descent, none after networks of images, which are the paper's."""
    rate: Rate
    """Learning rate at the beginning; it falls as a cosine."""
    pixels: Weight
    """Weight of the mean squared difference of pixels."""
    perceptual: str = "lite0"
    """A perceptual distance by name."""
    perceptual_weight: Weight

    @property
    def count(self) -> int:
        """Number of steps of a fit that is done."""
        return STEPS if self.steps is None else self.steps

    def rate_at(self, step: int) -> float:
        """The learning rate of a step (0-based)."""
        return self.rate * falling(step / self.count)
