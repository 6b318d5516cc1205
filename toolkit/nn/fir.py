"""Resampling with short low-pass filters: zero insertion, padding, convolution, decimation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

DEFAULT_TAPS = (1.0, 3.0, 3.0, 1.0)
Padding = tuple[int, int, int, int]
"""Samples added before x, after x, before y, after y; negative ones crop."""


def low_pass(taps: Sequence[float] = DEFAULT_TAPS) -> Tensor:
    """Square filter [k, k] of sum 1, the outer product of `taps` with itself."""
    line = torch.tensor(taps, dtype=torch.float32)
    square = torch.outer(line, line)
    return square / square.sum()


def _axis_kernels(kernel: Tensor, gain: float, x: Tensor) -> list[Tensor]:
    """Filters [kh, kw] to be applied one after another (a 1-D filter acts along both axes)."""
    kernel = kernel.to(x)
    if kernel.ndim == 1:
        line = kernel * math.sqrt(gain)
        return [line[None, :], line[:, None]]
    return [kernel * gain]


def resample(
    x: Tensor,
    kernel: Tensor,
    *,
    up: tuple[int, int] = (1, 1),
    down: tuple[int, int] = (1, 1),
    padding: Padding = (0, 0, 0, 0),
    gain: float = 1.0,
) -> Tensor:
    """Insert zeros, pad, convolve (true convolution), keep every n-th sample.

    Args:
        x: [N, C, H, W].
        kernel: [k] (applied along both axes) or [kh, kw].
        up: Factors (x, y); `up - 1` zeros follow each sample, the last included.
        down: Factors (x, y).
        padding: See `Padding`; applied to the zero-inserted signal.
        gain: Multiplies the filter.
    """
    batch, channels, height, width = x.shape
    if up != (1, 1):
        spread = x.new_zeros(batch, channels, height, up[1], width, up[0])
        spread[:, :, :, 0, :, 0] = x
        x = spread.reshape(batch, channels, height * up[1], width * up[0])
    kernels = _axis_kernels(kernel, gain, x)
    before_x, after_x, before_y, after_y = padding
    if len(kernels) == 1 and before_x == after_x >= 0 and before_y == after_y >= 0:
        x = convolve_channels(x, kernels, (before_y, before_x))
    else:
        x = convolve_channels(F.pad(x, padding) if any(padding) else x, kernels)
    return x[:, :, :: down[1], :: down[0]] if down != (1, 1) else x


def convolve_channels(
    x: Tensor, kernels: Sequence[Tensor], padding: int | tuple[int, int] = 0, bias: Tensor | None = None
) -> Tensor:
    """Convolve every channel of x [N, C, H, W] with the same filters.

    Args:
        x: [N, C, H, W].
        kernels: One filter [kh, kw], or several that follow each other where there is neither padding nor bias.
        padding: Zeros on both sides along (y, x).
        bias: [C].
    """
    for kernel in kernels:
        weight = _for_each_channel(kernel.flip([0, 1]), x)
        x = F.conv2d(laid_out(x), weight, bias, padding=padding, groups=x.shape[1])
    return x


def laid_out(x: Tensor) -> Tensor:
    """X [N, C, H, W] in memory as convolutions on its device take it: channels fastest on a CPU, pixels elsewhere.

    On a CPU, convolutions per channel are many times faster so (same numbers). On GPUs it is the layout of the official
    code; what another would bring there was not measured.
    """
    on_cpu = x.device.type == "cpu"
    return x.contiguous(memory_format=torch.channels_last if on_cpu else torch.contiguous_format)


def _for_each_channel(kernel: Tensor, x: Tensor) -> Tensor:
    return kernel[None, None].expand(x.shape[1], 1, *kernel.shape)


def same_padding(kernel: Tensor, up: int = 1, down: int = 1, extra: int = 0) -> Padding:
    """Padding that keeps a resampled image aligned with its input."""
    kh, kw = kernel.shape[0], kernel.shape[-1]
    pads = []
    for size in (kw, kh):
        before = after = extra
        if up > 1:
            before, after = before + (size + up - 1) // 2, after + (size - up) // 2
        if down > 1:
            before, after = before + (size - down + 1) // 2, after + (size - down) // 2
        pads += [before, after]
    return pads[0], pads[1], pads[2], pads[3]


def upsample(x: Tensor, kernel: Tensor, factor: int = 2) -> Tensor:
    """Enlarge x [N, C, H, W] to [N, C, factor H, factor W]."""
    if factor == 2 and tuple(kernel.shape) == (4, 4):
        return _double(x, kernel)
    return resample(
        x, kernel, up=(factor, factor), padding=same_padding(kernel, up=factor), gain=float(factor * factor)
    )


def _double(x: Tensor, kernel: Tensor) -> Tensor:
    """The same as the general path for factor 2 and a 4x4 filter, without storing zeros."""
    weight = _for_each_channel(kernel.to(x) * 4, x)
    return F.conv_transpose2d(laid_out(x), weight, stride=2, padding=1, groups=x.shape[1])


def downsample(x: Tensor, kernel: Tensor, factor: int = 2) -> Tensor:
    """Shrink x [N, C, H, W] to [N, C, H / factor, W / factor]."""
    return resample(x, kernel, down=(factor, factor), padding=same_padding(kernel, down=factor))


def blur(x: Tensor, kernel: Tensor) -> Tensor:
    """Filter x [N, C, H, W] and keep its size."""
    kh, kw = kernel.shape[0], kernel.shape[-1]
    return resample(x, kernel, padding=(kw // 2, (kw - 1) // 2, kh // 2, (kh - 1) // 2))
