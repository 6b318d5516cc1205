"""Two dense layers with a softplus in between, as one autograd function for many rows on a CPU.

Between forward and backward pass it keeps its input only: the layer in between, twice as wide, is computed again, a
piece at a time. The readable twin is `two_layers_reference`.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_ROWS = 1 << 12
"""Rows computed at once: what a core's cache holds."""


def two_layers(x: Tensor, first: tuple[Tensor, Tensor], last: tuple[Tensor, Tensor]) -> Tensor:
    """Map rows x [P, I] to [P, O], with (weight, bias) of both layers: [H, I] and [H], [O, H] and [O]."""
    plain = x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)
    if not plain or not torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
        return two_layers_reference(x, first, last)
    return _TwoLayers.apply(x, *first, *last)


def two_layers_reference(x: Tensor, first: tuple[Tensor, Tensor], last: tuple[Tensor, Tensor]) -> Tensor:
    """Slow twin of `two_layers`."""
    return F.linear(F.softplus(F.linear(x, *first)), *last)


class _TwoLayers(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, last_weight: Tensor, last_bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight, bias, last_weight, last_bias)
        out = x.new_empty(len(x), len(last_weight))
        for some, to in zip(x.split(_ROWS), out.split(_ROWS), strict=True):
            torch.addmm(last_bias, F.softplus(torch.addmm(bias, some, weight.t())), last_weight.t(), out=to)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, last_weight, last_bias = ctx.saved_tensors
        if torch.is_grad_enabled():  # this gradient's own gradient is asked for
            return _derived(x, weight, bias, last_weight, last_bias, gradient, ctx.needs_input_grad)
        sums = [torch.zeros_like(each) for each in (weight, bias, last_weight, last_bias)]
        to_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        for start in range(0, len(x), _ROWS):
            part = slice(start, start + _ROWS)
            before = torch.addmm(bias, x[part], weight.t())
            inner = (gradient[part] @ last_weight).mul_(before.sigmoid())
            if to_x is not None:
                torch.mm(inner, weight, out=to_x[part])
            if any(ctx.needs_input_grad[1:]):
                sums[0].addmm_(inner.t(), x[part])
                sums[1].add_(inner.sum(dim=0))
                sums[2].addmm_(gradient[part].t(), F.softplus(before))
                sums[3].add_(gradient[part].sum(dim=0))
        return to_x, *sums


def _derived(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    last_weight: Tensor,
    last_bias: Tensor,
    gradient: Tensor,
    asked: tuple[bool, ...],
) -> tuple[Tensor | None, ...]:
    """The same gradients, with gradients of their own."""
    every = (x, weight, bias, last_weight, last_bias)
    out = two_layers_reference(x, (weight, bias), (last_weight, last_bias))
    wanted = [each for each, needed in zip(every, asked, strict=True) if needed]
    found = iter(torch.autograd.grad(out, wanted, gradient, create_graph=True))
    return tuple(next(found) if needed else None for needed in asked)
