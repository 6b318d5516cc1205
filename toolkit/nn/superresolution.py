"""Super-resolution: two synthesis blocks that paint on top of the raw image, all styled by the last latent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.nn.fir import laid_out, low_pass
from toolkit.nn.synthesis import Noise, SynthesisBlock

SILENT = Noise("none")


@dataclass(frozen=True)
class SuperResolutionKind:
    """What tells the official super-resolution modules apart, besides widths and sizes."""

    ups: tuple[int, int]
    """Enlargement by each block."""
    widths: tuple[int, int]
    """Output channels of the blocks in the official module."""
    shrinks: bool = True
    """Whether an input larger than the input size is resized down."""
    spare_filter: bool = False
    """Whether the state dict has a (never used) top-level `resample_filter`."""

    @property
    def factor(self) -> int:
        """Output side divided by input side."""
        return self.ups[0] * self.ups[1]


KINDS = {
    "8XDC": SuperResolutionKind((2, 2), (256, 128)),
    "8X": SuperResolutionKind((2, 2), (128, 64), spare_filter=True),
    "4X": SuperResolutionKind((1, 2), (128, 64), shrinks=False, spare_filter=True),
    "2X": SuperResolutionKind((1, 2), (128, 64), spare_filter=True),
}
"""Official kinds by the ending of their class name."""


def resize(x: Tensor, side: int, antialias: bool = True) -> Tensor:
    """Resize x [N, C, H, W] to [N, C, side, side], bilinear; antialiasing acts where it shrinks."""
    if x.shape[-1] == side and x.shape[-2] == side:
        return x
    return F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False, antialias=antialias)


class SuperResolution(nn.Module):
    """From a feature map and a raw image to the final image."""

    def __init__(
        self,
        kind: SuperResolutionKind,
        channels: int,
        size: int,
        w_dim: int,
        *,
        widths: Sequence[int] | None = None,
        clamp: float | None = None,
        antialias: bool = True,
        image_channels: int = 3,
    ) -> None:
        """Lay out the blocks.

        Args:
            kind: An entry of `KINDS`.
            channels: Channels of the feature map.
            size: Side of the final image.
            w_dim: Length of a style latent.
            widths: Output channels of the two blocks; None takes the official ones.
            clamp: Limit of every layer's output.
            antialias: Whether shrinking to the input size is antialiased.
            image_channels: Channels of raw and final image.
        """
        super().__init__()
        self.kind, self.antialias = kind, antialias
        self.input_size = size // kind.factor
        first, second = widths or kind.widths
        middle = self.input_size * kind.ups[0]
        self.block0 = SynthesisBlock(channels, first, w_dim, middle, image_channels, up=kind.ups[0], clamp=clamp)
        self.block1 = SynthesisBlock(
            first, second, w_dim, size, image_channels, up=kind.ups[1], clamp=clamp, is_last=True
        )
        if kind.spare_filter:
            self.register_buffer("resample_filter", low_pass())

    def forward(self, raw: Tensor, features: Tensor, ws: Tensor, noise: Noise = SILENT) -> Tensor:
        """Enlarge raw [N, 3, R, R] and features [N, C, R, R] under the last of ws [N, num_ws, w_dim] to the image."""
        styles = ws[:, -1:].expand(-1, 3, -1).to(features.dtype)
        raw, features = self.resized(raw, features)
        x, image = self.block0(laid_out(features), raw, styles, noise)
        return self.block1(x, image, styles, noise)[1]

    def resized(self, raw: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Bring raw image and features to the input size."""
        if features.shape[-1] > self.input_size and not self.kind.shrinks:
            return raw, features
        return resize(raw, self.input_size, self.antialias), resize(features, self.input_size, self.antialias)
