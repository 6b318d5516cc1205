"""Gradients of convolution weights, as one matrix product per tap where that is quicker than the library's own.

Where memory holds channels side by side and the processor has no AVX-512, oneDNN takes 3 to 5 times as long for them as
for the convolution itself.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv2d_weight

_WIDE = 128
"""Channels from which on products pay with AVX-512, too."""
_NARROW = 32
"""Channels from which on they pay without."""
_STRIP = 1 << 19
"""Numbers of a sample's strip that are multiplied at once: what a core's cache holds; no copy of an image is made."""
_LINES = 4
"""Lines of a strip at least: each strip reads one or two of its neighbours' again."""


def weight_gradient(x: Tensor, gradient: Tensor, shape: torch.Size, *, up: bool = False) -> Tensor:
    """Gradient [O, I, k, k] of a convolution's weight.

    Args:
        x: The convolution's input [N, I, H, W].
        gradient: Of the output, [N, O, H, W], or [N, O, 2 H + k - 2, 2 W + k - 2] of the enlarging one.
        shape: [O, I, k, k] with odd k.
        up: False for `conv2d(x, weight, padding=k // 2)`, True for `conv_transpose2d(x, weight.transpose(0, 1),
            stride=2)`.
    """
    if products_pay(x, shape):
        return _by_products_up(x, gradient, shape[-1]) if up else _by_products(x, gradient, shape[-1])
    return weight_gradient_reference(x, gradient, shape, up=up)


def weight_gradient_reference(x: Tensor, gradient: Tensor, shape: torch.Size, *, up: bool = False) -> Tensor:
    """Twin of `weight_gradient`: the library's own."""
    size = shape[-1]
    if up:
        return conv2d_weight(gradient, (shape[1], shape[0], size, size), x, stride=2).transpose(0, 1)
    return conv2d_weight(x, list(shape), gradient, padding=size // 2)


def products_pay(x: Tensor, shape: torch.Size) -> bool:
    """Whether products are quicker for an input [N, I, H, W] and a weight of a shape [O, I, k, k]."""
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64) or shape[-1] != 3:
        return False
    if not x.is_contiguous(memory_format=torch.channels_last):
        return False
    wide = "AVX512" in torch.backends.cpu.get_cpu_capability()
    return min(shape[:2]) >= (_WIDE if wide else _NARROW)


def _by_products(x: Tensor, gradient: Tensor, size: int) -> Tensor:
    """Both padded to one grid of pixels, so that a tap is the same rows, some places further on."""
    pad, height = size // 2, x.shape[2]
    width = x.shape[3] + 2 * pad
    taps = x.new_zeros(size, size, gradient.shape[1], x.shape[1])
    for one, slopes, step in _samples(x, gradient, height):
        below = 2 * pad if len(one) > 1 else 0
        for top in range(0, height, step):
            part = slopes[:, :, top : top + step]
            bottom = top + part.shape[2] + pad
            around = (pad, pad, max(pad - top, 0), max(bottom - height, 0))
            rows = _rows(one[:, :, max(top - pad, 0) : bottom], around)
            left = _trimmed(_rows(part, (0, 2 * pad, 0, below)), 2 * pad + below * width).t()
            for y in range(size):
                for z in range(size):
                    start = y * width + z
                    taps[y, z].addmm_(left, rows[start : start + left.shape[1]])
    return taps.permute(2, 3, 0, 1).contiguous()


def _by_products_up(x: Tensor, gradient: Tensor, size: int) -> Tensor:
    """The same for an enlarging convolution: every second pixel of the gradient is a grid of its own."""
    extra, height = (size - 1) // 2, x.shape[2]
    width = x.shape[3] + extra
    taps = x.new_zeros(size, size, gradient.shape[1], x.shape[1])
    for one, slopes, step in _samples(x, gradient, height):
        below = extra if len(one) > 1 else 0
        for top in range(0, height, step):
            part = one[:, :, top : top + step]
            right = _trimmed(_rows(part, (0, extra, 0, below)), extra + below * width)
            some = slopes[:, :, 2 * top : 2 * (top + part.shape[2]) + size - 2]
            grids = {(y, z): _every_second(some[:, :, y::2, z::2], part.shape[2] + extra, width)
                     for y in range(2) for z in range(2)}  # fmt: skip
            for y in range(size):
                for z in range(size):
                    start = (y // 2) * width + z // 2
                    taps[y, z].addmm_(grids[y % 2, z % 2][start : start + len(right)].t(), right)
    return taps.permute(2, 3, 0, 1).contiguous()


def _samples(x: Tensor, gradient: Tensor, height: int) -> list[tuple[Tensor, Tensor, int]]:
    """Samples and how many of their lines are taken at once; small ones are taken all at once, whole."""
    line = max(x.numel(), gradient.numel()) // (len(x) * height)
    if line * height <= _STRIP:
        return [(x, gradient, height)]
    step = max(_STRIP // line, _LINES)
    return [(one, slopes, step) for one, slopes in zip(x.split(1), gradient.split(1), strict=True)]


def _every_second(part: Tensor, height: int, width: int) -> Tensor:
    """Every second pixel of a strip, padded to the grid of the others, as rows."""
    return _rows(part, (0, width - part.shape[3], 0, height - part.shape[2]))


def _trimmed(rows: Tensor, count: int) -> Tensor:
    """Rows without the last ones, which are zeros of the padding."""
    return rows[: len(rows) - count]


def _rows(x: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
    """Pixels of x [N, C, H, W], padded (left, right, above, below), as rows [N H' W', C]."""
    return F.pad(x.permute(0, 2, 3, 1), (0, 0, *padding)).flatten(0, 2)
