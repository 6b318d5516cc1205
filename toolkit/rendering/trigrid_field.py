"""A tri-grid and its decoder as plain tensors: what a kernel needs that reads, decodes and blends by itself."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from toolkit.nn.decoder import DecoderWeights


@dataclass(frozen=True)
class TrigridField:
    """A field whose points are read from three volumes (see `toolkit.nn.trigrid`) and decoded by two layers."""

    volumes: Tensor
    """[1 or B, 3, C, D, H, W]; a single one serves all views."""
    scale: float
    """Factor from world units to the cube [-1, 1]^3."""
    decoder: DecoderWeights
    """From C features at a point to a raw density and F features."""
    crop: float | None = None
    """Largest |x| and |z| (world units) that the renderer sees; None: no limit."""
