"""Synthesis network: a stack of modulated convolutions that doubles its resolution block by block."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from toolkit.devices import without_autocast
from toolkit.errors import InputError
from toolkit.nn.activation import LEAKY_SLOPE, activate, activation_gain
from toolkit.nn.convolution import Convolution
from toolkit.nn.dense import Dense
from toolkit.nn.fir import laid_out, low_pass, upsample
from toolkit.nn.modulated import modulated_convolve
from toolkit.nn.styled import styled_convolution

_SLOPES = {"lrelu": LEAKY_SLOPE, "linear": 1.0}
"""Activations that a `styled_convolution` has."""
NOISE_MODES = ("none", "const", "random")
FIRST_SIZE = 4


class Noise(NamedTuple):
    """Where the per-pixel noise of synthesis layers comes from."""

    mode: str = "const"
    """'const' (stored maps), 'none', or 'random' (fresh for each call)."""
    generator: torch.Generator | None = None
    """Source of random maps; must live on the device of the layers."""


CONSTANT_NOISE = Noise()


class SynthesisLayer(nn.Module):
    """Modulated convolution, noise, bias, activation."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        *,
        size: int = 3,
        up: int = 1,
        use_noise: bool = True,
        activation: str = "lrelu",
        clamp: float | None = None,
    ) -> None:
        """Lay out weights; `resolution` is the output's side, `size` the kernel's."""
        super().__init__()
        self.up, self.use_noise, self.activation, self.clamp = up, use_noise, activation, clamp
        self.affine = Dense(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, size, size))
        if use_noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("resample_filter", low_pass())

    def forward(self, x: Tensor, w: Tensor, noise: Noise = CONSTANT_NOISE, gain: float = 1.0) -> Tensor:
        """Map x [N, I, H, W] under w [N, w_dim] to [N, O, H up, W up]; `gain` multiplies result and clamp."""
        if len(w) > 1 and w.stride(0) == 0:
            w = w[:1]  # one style for all
        added = self._noise(x, noise)
        clamp = None if self.clamp is None else self.clamp * gain
        gain = activation_gain(self.activation) * gain
        styles, kernel = self.affine(w), self.resample_filter
        if self.activation in _SLOPES and self.weight.shape[-1] == 3:
            return styled_convolution(
                x,
                self.weight,
                styles,
                self.bias,
                kernel=kernel if self.up == 2 else None,
                noise=added,
                gain=gain,
                slope=_SLOPES[self.activation],
                clamp=clamp,
            )
        styles = styles.expand(len(x), -1)
        x = modulated_convolve(x, self.weight, styles, kernel=kernel, up=self.up, noise=added)
        return activate(x, self.activation, self.bias, gain=gain, clamp=clamp)

    def _noise(self, x: Tensor, noise: Noise) -> Tensor | None:
        if not self.use_noise or noise.mode == "none":
            return None
        if noise.mode == "const":
            return self.noise_const * self.noise_strength
        shape = (x.shape[0], 1, x.shape[2] * self.up, x.shape[3] * self.up)
        return torch.randn(shape, generator=noise.generator, device=x.device, dtype=x.dtype) * self.noise_strength


class ToRGB(nn.Module):
    """1x1 modulated convolution without demodulation, from features to image channels."""

    def __init__(
        self, in_channels: int, out_channels: int, w_dim: int, *, size: int = 1, clamp: float | None = None
    ) -> None:
        """Lay out weights; `size` is the kernel's side."""
        super().__init__()
        self.clamp = clamp
        self.weight_gain = 1 / math.sqrt(in_channels * size**2)
        self.affine = Dense(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, size, size))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map x [N, I, H, W] under w [N, w_dim] to [N, O, H, W]."""
        x = modulated_convolve(x, self.weight, self.affine(w) * self.weight_gain, demodulate=False)
        return activate(x, "linear", self.bias, clamp=self.clamp)


class SynthesisBlock(nn.Module):
    """Two layers at one resolution (one in the first block) and their contribution to the running image."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        image_channels: int,
        *,
        architecture: str = "skip",
        is_last: bool = False,
        up: int = 2,
        clamp: float | None = None,
    ) -> None:
        """Lay out layers.

        Args:
            in_channels: Channels of the incoming features; 0 makes the first block, with a learned constant.
            out_channels: Channels of the outgoing features.
            w_dim: Length of a style latent.
            resolution: Side of the output.
            image_channels: Channels of the running image.
            architecture: 'skip' (every block adds to the image) or 'resnet'.
            is_last: Whether this is the last block ('resnet' turns features into an image there only).
            up: 2, or 1 for a block that keeps the resolution.
            clamp: Limit of every layer's output.
        """
        super().__init__()
        self.in_channels, self.architecture, self.up = in_channels, architecture, up
        self.num_conv = 1 if in_channels == 0 else 2
        self.has_rgb = is_last or architecture == "skip"
        if in_channels == 0:
            self.const = nn.Parameter(torch.randn(out_channels, resolution, resolution))
        else:
            self.conv0 = SynthesisLayer(in_channels, out_channels, w_dim, resolution, up=up, clamp=clamp)
        self.conv1 = SynthesisLayer(out_channels, out_channels, w_dim, resolution, clamp=clamp)
        if self.has_rgb:
            self.torgb = ToRGB(out_channels, image_channels, w_dim, clamp=clamp)
        if in_channels and architecture == "resnet":
            self.skip = Convolution(in_channels, out_channels, 1, bias=False, up=up)
        self.register_buffer("resample_filter", low_pass())

    def forward(
        self, x: Tensor | None, image: Tensor | None, ws: Tensor, noise: Noise = CONSTANT_NOISE
    ) -> tuple[Tensor, Tensor | None]:
        """Go from (features, running image) to those of this block's resolution; ws [N, num_conv + has_rgb, w_dim]."""
        styles = iter(ws.unbind(dim=1))
        if x is None:
            x = laid_out(self.const[None].expand(ws.shape[0], -1, -1, -1))
            x = self.conv1(x, next(styles), noise)
        elif self.architecture == "resnet":
            skip = self.skip(x, gain=math.sqrt(0.5))
            x = self.conv0(x, next(styles), noise)
            x = self.conv1(x, next(styles), noise, gain=math.sqrt(0.5)) + skip
        else:
            x = self.conv1(self.conv0(x, next(styles), noise), next(styles), noise)
        if image is not None and self.up == 2:
            with without_autocast(image):  # a running sum, of 32 bits like what is added
                image = upsample(image, self.resample_filter)
        if self.has_rgb:
            rgb = self.torgb(x, next(styles)).float()
            image = rgb if image is None else image + rgb
        return x, image


class SynthesisNetwork(nn.Module):
    """Blocks `b4`, `b8`, ... up to the final size; may be stopped and resumed at any block."""

    def __init__(
        self,
        w_dim: int,
        size: int,
        image_channels: int,
        *,
        channel_base: int = 32768,
        channel_max: int = 512,
        architecture: str = "skip",
        clamp: float | None = None,
    ) -> None:
        """Lay out blocks with min(channel_base // resolution, channel_max) channels each.

        Raises:
            ValueError: `size` is not a power of two of at least 4.
        """
        super().__init__()
        if size < FIRST_SIZE or size & (size - 1):
            raise ValueError(f"a synthesis network's size must be a power of two of at least {FIRST_SIZE}, got {size}")
        self.w_dim, self.size, self.image_channels = w_dim, size, image_channels
        self.sizes = [2**k for k in range(2, size.bit_length())]
        self.num_ws = 2 * len(self.sizes)
        channels = {side: min(channel_base // side, channel_max) for side in self.sizes}
        self.channels = channels
        for side in self.sizes:
            block = SynthesisBlock(
                channels[side // 2] if side > FIRST_SIZE else 0,
                channels[side],
                w_dim,
                side,
                image_channels,
                architecture=architecture,
                is_last=side == size,
                clamp=clamp,
            )
            self.add_module(f"b{side}", block)

    def forward(self, ws: Tensor, noise: Noise = CONSTANT_NOISE) -> Tensor:
        """Turn ws [N, num_ws, w_dim] into an image [N, image_channels, size, size]."""
        return self._run(None, None, ws, self.sizes, noise)[1]

    def features(self, ws: Tensor, size: int, noise: Noise = CONSTANT_NOISE) -> tuple[Tensor, Tensor]:
        """Run up to and including the block of side `size`: features [N, C, size, size] and the running image.

        Raises:
            InputError: There is no block of that size.
        """
        stop = self._index(size) + 1
        return self._run(None, None, ws, self.sizes[:stop], noise)

    def resume(self, x: Tensor, image: Tensor, ws: Tensor, size: int, noise: Noise = CONSTANT_NOISE) -> Tensor:
        """Go on after the block of side `size` to the final image.

        Raises:
            InputError: There is no block of that size.
        """
        return self._run(x, image, ws, self.sizes[self._index(size) + 1 :], noise)[1]

    def _index(self, size: int) -> int:
        if size not in self.sizes:
            raise InputError(f"this synthesis network has blocks of side {self.sizes}, got {size}")
        return self.sizes.index(size)

    def _run(
        self, x: Tensor | None, image: Tensor | None, ws: Tensor, sizes: list[int], noise: Noise
    ) -> tuple[Tensor, Tensor]:
        if ws.ndim != 3 or ws.shape[1] < self.num_ws or ws.shape[2] != self.w_dim:
            raise InputError(f"ws must have shape [B, {self.num_ws}, {self.w_dim}], got {list(ws.shape)}")
        ws = ws.to(torch.float32)
        for side in sizes:
            # a block's last latent (its torgb) is also the first of the next block
            first = 0 if side == FIRST_SIZE else 2 * self._index(side) - 1
            count = 2 if side == FIRST_SIZE else 3
            x, image = self.get_submodule(f"b{side}")(x, image, ws[:, first : first + count], noise)
        assert x is not None and image is not None  # for the type checker: there is always a block
        return x, image
