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
    pad = size // 2
    rows = _rows(x, (pad, pad, pad, pad))
    slopes = _rows(gradient, (0, 2 * pad, 0, 2 * pad))
    width = x.shape[3] + 2 * pad
    count = len(rows) - 2 * pad * (width + 1)
    left = slopes[:count].t()
    taps = [left @ rows[start : start + count] for start in (y * width + z for y in range(size) for z in range(size))]
    return torch.stack(taps, dim=-1).unflatten(-1, (size, size))


def _by_products_up(x: Tensor, gradient: Tensor, size: int) -> Tensor:
    """The same for an enlarging convolution: every second pixel of the gradient is a grid of its own."""
    height, width = x.shape[2:]
    extra = (size - 1) // 2
    rows = _rows(x, (0, extra, 0, extra))
    stride = width + extra
    count = len(rows) - extra * (stride + 1)
    right = rows[:count]
    grids = {}
    for y in range(2):
        for z in range(2):
            part = gradient[:, :, y::2, z::2]
            missing = (height + extra - part.shape[2], stride - part.shape[3])
            grids[y, z] = _rows(part, (0, missing[1], 0, missing[0]))
    taps = []
    for y in range(size):
        for z in range(size):
            start = (y // 2) * stride + z // 2
            taps.append(grids[y % 2, z % 2][start : start + count].t() @ right)
    return torch.stack(taps, dim=-1).unflatten(-1, (size, size))


def _rows(x: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
    """Pixels of x [N, C, H, W], padded (left, right, above, below), as rows [N H' W', C]."""
    return F.pad(x.permute(0, 2, 3, 1), (0, 0, *padding)).flatten(0, 2)
