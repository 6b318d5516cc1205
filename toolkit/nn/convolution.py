"""Convolution with built-in resampling, and the layer made of it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.nn.activation import activate, activation_gain
from toolkit.nn.fir import low_pass, resample, same_padding, upsample


def convolve(
    x: Tensor,
    weight: Tensor,
    kernel: Tensor | None = None,
    *,
    up: int = 1,
    down: int = 1,
    groups: int = 1,
    flip: bool = False,
) -> Tensor:
    """Convolve and resample with zero padding k // 2.

    Args:
        x: [N, I, H, W].
        weight: [O, I / groups, k, k] with odd k.
        kernel: Low-pass filter [m, m], needed where up or down is 2.
        up: 1 or 2.
        down: 1 or 2.
        groups: As in `torch.nn.functional.conv2d`.
        flip: True for a true convolution, False for a cross-correlation.

    Returns:
        [N, O, H up / down, W up / down].
    """
    size = weight.shape[-1]
    pad = size // 2
    if up == 1 and down == 1 and size == 1 and groups == 1:
        # a matrix product: the convolution's backward copies between layouts and takes several times as long
        return torch.matmul(weight[:, :, 0, 0], x.flatten(2)).unflatten(2, x.shape[2:])
    if up == 1 and down == 1:
        return F.conv2d(x, weight.flip([2, 3]) if flip else weight, padding=pad, groups=groups)
    if kernel is None:
        raise ValueError("resampling needs a low-pass kernel")
    if up == 1:
        padding = same_padding(kernel, down=down, extra=pad)
        if size == 1:
            return F.conv2d(resample(x, kernel, down=(down, down), padding=padding), weight, groups=groups)
        smooth = resample(x, kernel, padding=padding)
        return F.conv2d(smooth, weight.flip([2, 3]) if flip else weight, stride=down, groups=groups)
    if down != 1:
        raise ValueError("a convolution resamples one way only")
    if size == 1:
        return upsample(F.conv2d(x, weight, groups=groups), kernel, up)
    return _convolve_up(x, weight if flip else weight.flip([2, 3]), kernel, up, groups)


def _convolve_up(x: Tensor, weight: Tensor, kernel: Tensor, up: int, groups: int) -> Tensor:
    """True convolution on the zero-inserted input, then the filter: zeros are skipped by a strided transposed form."""
    out, each, size, _ = weight.shape
    swapped = weight.reshape(groups, out // groups, each, size, size).transpose(1, 2)
    spread = F.conv_transpose2d(x, swapped.reshape(groups * each, out // groups, size, size), stride=up, groups=groups)
    before_x, after_x, before_y, after_y = same_padding(kernel, up=up, extra=size // 2)
    lead, trail = size - 1, size - up
    padding = (before_x - lead, after_x - trail, before_y - lead, after_y - trail)
    return resample(spread, kernel, padding=padding, gain=float(up * up))


class Convolution(nn.Module):
    """Convolution with equalised learning rate, optional resampling, bias and activation."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: int,
        *,
        bias: bool = True,
        activation: str = "linear",
        up: int = 1,
        down: int = 1,
        clamp: float | None = None,
    ) -> None:
        """Draw a unit normal weight; `size` is the side of the kernel, the rest as in `convolve` and `activate`."""
        super().__init__()
        self.activation, self.up, self.down, self.clamp = activation, up, down, clamp
        self.weight_gain = 1 / math.sqrt(in_channels * size**2)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, size, size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.register_buffer("resample_filter", low_pass())

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """Map x [N, I, H, W] to [N, O, H up / down, W up / down]; `gain` multiplies result and clamp."""
        weight = (self.weight * self.weight_gain).to(x.dtype)
        flip = self.up > 1
        x = convolve(x, weight, self.resample_filter, up=self.up, down=self.down, flip=flip)
        clamp = None if self.clamp is None else self.clamp * gain
        return activate(x, self.activation, self.bias, gain=activation_gain(self.activation) * gain, clamp=clamp)
