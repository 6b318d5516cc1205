"""Bias, non-linearity, gain and clamp in one step, as StyleGAN2's layers use them."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

LEAKY_SLOPE = 0.2

_FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "linear": (lambda x: x, 1.0),
    "relu": (F.relu, math.sqrt(2)),
    "lrelu": (lambda x: F.leaky_relu(x, LEAKY_SLOPE), math.sqrt(2)),
    "tanh": (torch.tanh, 1.0),
    "sigmoid": (torch.sigmoid, 1.0),
    "elu": (F.elu, 1.0),
    "selu": (F.selu, 1.0),
    "softplus": (F.softplus, 1.0),
    "swish": (F.silu, math.sqrt(2)),
}
"""Function and default gain (which keeps a unit variance roughly unit) by name."""


def activation_gain(kind: str) -> float:
    """Default gain of an activation."""
    return _FUNCTIONS[kind][1]


def activate(
    x: Tensor,
    kind: str = "linear",
    bias: Tensor | None = None,
    *,
    gain: float | None = None,
    clamp: float | None = None,
    slope: float | None = None,
) -> Tensor:
    """Add a bias per channel, apply a function, multiply by a gain, clamp.

    Args:
        x: [N, C, ...].
        kind: Name of the function (`activation_gain` knows the same names).
        bias: [C].
        gain: Multiplier after the function; None takes the function's own.
        clamp: Limit of the absolute value, applied last.
        slope: Negative slope of 'lrelu'; None takes 0.2.
    """
    function, own_gain = _FUNCTIONS[kind]
    if kind in ("lrelu", "linear") and bias is not None and not torch.is_grad_enabled():
        return _activate_in_place(x, kind, bias, own_gain if gain is None else gain, clamp, slope)
    if bias is not None:
        x = x + bias.to(x.dtype).reshape([1, -1] + [1] * (x.ndim - 2))
    x = F.leaky_relu(x, slope) if kind == "lrelu" and slope is not None else function(x)
    gain = own_gain if gain is None else gain
    if gain != 1:
        x = x * gain
    return x if clamp is None else x.clamp(-clamp, clamp)


def _activate_in_place(
    x: Tensor, kind: str, bias: Tensor, gain: float, clamp: float | None, slope: float | None
) -> Tensor:
    """The same without a new tensor per step, where no gradients are needed."""
    x = x + bias.to(x.dtype).reshape([1, -1] + [1] * (x.ndim - 2))
    if kind == "lrelu":
        F.leaky_relu_(x, LEAKY_SLOPE if slope is None else slope)
    if gain != 1:
        x.mul_(gain)
    return x if clamp is None else x.clamp_(-clamp, clamp)
