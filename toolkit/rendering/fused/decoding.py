"""Triton functions: the decoder's two layers, and their gradients. All sizes are powers of two, and at least 16.

Weights lie as [outputs, inputs]; `slope` is a derivative.
"""

from __future__ import annotations

import triton
import triton.language as tl

from toolkit.nn.activation import LEAKY_SLOPE, activation_gain
from toolkit.nn.decoder import SIGMOID_MARGIN

_MARGIN = tl.constexpr(SIGMOID_MARGIN)
_LEAKY_SLOPE = tl.constexpr(LEAKY_SLOPE)
_LEAKY_GAIN = tl.constexpr(activation_gain("lrelu"))


@triton.jit
def matrix(weight: tl.tensor, OUTPUTS: tl.constexpr, INPUTS: tl.constexpr) -> tl.tensor:
    """A weight [OUTPUTS, INPUTS] from memory."""
    return tl.load(weight + tl.arange(0, OUTPUTS)[:, None] * INPUTS + tl.arange(0, INPUTS)[None, :])


@triton.jit
def dense(
    rows: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    OUTPUTS: tl.constexpr,
    INPUTS: tl.constexpr,
    PRECISION: tl.constexpr,
) -> tl.tensor:
    """Rows [TILE, INPUTS] to [TILE, OUTPUTS]."""
    product = tl.dot(rows, tl.trans(matrix(weight, OUTPUTS, INPUTS)), input_precision=PRECISION)
    return product + tl.load(bias + tl.arange(0, OUTPUTS))[None, :]


@triton.jit
def softplus(x: tl.tensor) -> tl.tensor:
    """log(1 + exp(x)), without overflow."""
    return tl.maximum(x, 0.0) + tl.log(1 + tl.exp(-tl.abs(x)))


@triton.jit
def density_of(hidden: tl.tensor, weight: tl.tensor, bias: tl.tensor, HIDDEN: tl.constexpr) -> tl.tensor:
    """Raw density [TILE] of activations [TILE, HIDDEN]."""
    return tl.sum(hidden * tl.load(weight + tl.arange(0, HIDDEN))[None, :], axis=1) + tl.load(bias)


@triton.jit
def activated(x: tl.tensor, ACTIVATION: tl.constexpr) -> tl.tensor:
    """Features after their activation (see `toolkit.nn.decoder.FEATURE_ACTIVATIONS`)."""
    if ACTIVATION == "sigmoid":
        return tl.sigmoid(x) * (1 + 2 * _MARGIN) - _MARGIN
    elif ACTIVATION == "lrelu":
        return tl.where(x < 0, x * _LEAKY_SLOPE, x) * _LEAKY_GAIN
    else:
        return x


@triton.jit
def activation_slope(x: tl.tensor, ACTIVATION: tl.constexpr) -> tl.tensor:
    """Derivative of `activated`."""
    if ACTIVATION == "sigmoid":
        return tl.sigmoid(x) * (1 - tl.sigmoid(x)) * (1 + 2 * _MARGIN)
    elif ACTIVATION == "lrelu":
        return tl.where(x > 0, 1.0, _LEAKY_SLOPE) * _LEAKY_GAIN
    else:
        return tl.zeros_like(x) + 1
