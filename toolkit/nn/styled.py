"""A synthesis layer in one step: modulated convolution, noise, bias, leaky ReLU, gain and clamp, with its own gradient.

Between forward and backward pass it keeps its input and its output only, and no gradient of the weight is computed
where none is asked for. The readable twin is `styled_convolution_reference` in `toolkit.testing.references`.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.devices import without_autocast
from toolkit.nn.activation import LEAKY_SLOPE
from toolkit.nn.fir import convolve_channels, laid_out
from toolkit.nn.modulated import demodulation
from toolkit.nn.weight_gradient import weight_gradient

_PIECE = 1 << 18
"""Numbers that are multiplied and added up at once on a CPU: what a core's cache holds."""


def styled_convolution(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    bias: Tensor,
    *,
    kernel: Tensor | None = None,
    noise: Tensor | None = None,
    gain: float = 1.0,
    slope: float = LEAKY_SLOPE,
    clamp: float | None = None,
) -> Tensor:
    """Demodulated convolution under a style, then noise, bias, leaky ReLU, gain and clamp.

    Args:
        x: [N, I, H, W].
        weight: [O, I, 3, 3]; a cross-correlation, or with a `kernel` a true convolution of the enlarged x.
        styles: [N, I], or [1, I] for all.
        bias: [O].
        kernel: Low-pass filter [4, 4]: x is enlarged by 2.
        noise: Broadcastable to the output; added after demodulation.
        gain: Factor on the output, above 0.
        slope: Of the leaky ReLU for negative inputs; 1 makes it linear.
        clamp: Largest absolute value of the output.

    Returns:
        [N, O, H up, W up], under autocast of its type.
    """
    kind = x.dtype
    if not x.is_meta and torch.is_autocast_enabled(x.device.type):
        kind = torch.get_autocast_dtype(x.device.type)
    with without_autocast(x):
        scale = demodulation(weight, styles.to(weight.dtype)) * gain
        noise = None if noise is None else noise.to(kind) * gain
        inputs = (x.to(kind), weight.to(kind), styles.to(kind), scale.to(kind), (bias * gain).to(kind), noise)
        return _StyledConvolution.apply(*inputs, kernel, slope, clamp)


class _StyledConvolution(torch.autograd.Function):
    """y = clamp(leaky_relu(scale * conv(styles * x, weight) + noise + bias)), all given."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        styles: Tensor,
        scale: Tensor,
        bias: Tensor,
        noise: Tensor | None,
        kernel: Tensor | None,
        slope: float,
        clamp: float | None,
    ) -> Tensor:
        if len(styles) == 1:  # one weight for all is smaller than their activations
            y = _convolve(x, weight * styles[0, :, None, None] * scale[0, :, None, None, None], kernel, bias)
        else:
            y = _convolve(x * styles[..., None, None], weight, kernel)
            y = y.mul_(scale[..., None, None]).add_(bias[:, None, None])
        if noise is not None:
            y.add_(noise)
        if slope != 1:
            F.leaky_relu_(y, slope)
        if clamp is not None:
            y.clamp_(-clamp, clamp)
        ctx.save_for_backward(x, weight, styles, scale, bias, noise, kernel, y)
        ctx.slope, ctx.clamp = slope, clamp
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, styles, scale, bias, noise, kernel, y = ctx.saved_tensors
        asked = ctx.needs_input_grad
        gradient = laid_out(gradient)
        inner = _before_activation(gradient, y, ctx.slope, ctx.clamp)
        to_bias = inner.sum(dim=(0, 2, 3)) if asked[4] else None
        to_noise = inner.sum_to_size(noise.shape) if noise is not None and asked[5] else None
        to_scale = None
        own = scale if len(styles) == 1 else None
        to_x, to_weight, to_styles = None, None, None
        if own is not None and asked[1]:
            filtered = _filtered_back(inner, kernel)
            del inner  # large
            change = weight_gradient(x, filtered, weight.shape, up=kernel is not None)
            strength = scale.t() * styles  # of each pair of channels
            products = (change * weight).sum(dim=(2, 3))
            to_styles, to_scale = scale @ products, styles @ products.t()
            to_weight = change * strength[..., None, None]
            if asked[0]:
                mixed = weight * strength[..., None, None]
                to_x = _input_gradient(mixed, filtered, kernel)
            return to_x, to_weight, to_styles, to_scale, to_bias, to_noise, None, None, None
        if asked[3]:
            shifted = inner.sum(dim=(2, 3)) * bias
            if noise is not None:
                shifted = shifted + (inner * noise).sum(dim=(2, 3))
            # leaky_relu'(v) v = leaky_relu(v), so what stands before the activation need not be kept
            total = (channel_products(gradient, y, ctx.clamp) - shifted) / scale
            to_scale = total if len(scale) == len(total) else total.sum(dim=0, keepdim=True)
        if own is None:
            filtered = _filtered_back(inner * scale[..., None, None], kernel)
            if asked[1]:
                to_weight = weight_gradient(x * styles[..., None, None], filtered, weight.shape, up=kernel is not None)
            mixed = weight
        else:
            filtered = _filtered_back(inner, kernel)
            mixed = weight * scale[0, :, None, None, None]
        del inner
        if asked[0] or asked[2]:
            unscaled = _input_gradient(mixed, filtered, kernel)
            if asked[2]:
                to_styles = channel_products(unscaled, x)
                to_styles = to_styles if len(styles) == len(x) else to_styles.sum(dim=0, keepdim=True)
            to_x = (
                unscaled * styles[..., None, None]
                if torch.is_grad_enabled()
                else unscaled.mul_(styles[..., None, None])
            )
        return to_x, to_weight, to_styles, to_scale, to_bias, to_noise, None, None, None


def _convolve(x: Tensor, weight: Tensor, kernel: Tensor | None, bias: Tensor | None = None) -> Tensor:
    if kernel is None:
        return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
    spread = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
    return convolve_channels(spread, [kernel.to(x) * 4], padding=1, bias=bias)


def _filtered_back(gradient: Tensor, kernel: Tensor | None) -> Tensor:
    """Back through the low-pass filter of an enlarging layer."""
    if kernel is None:
        return gradient
    return convolve_channels(gradient, [kernel.to(gradient).flip([0, 1]) * 4], padding=kernel.shape[0] - 2)


def _input_gradient(weight: Tensor, gradient: Tensor, kernel: Tensor | None) -> Tensor:
    """Gradient of a convolution's input; for an odd kernel that is a convolution with the kernel turned round.

    PyTorch's own `conv2d_input` copies three tensors as large as the gradient between layouts.
    """
    if kernel is None:
        return F.conv2d(gradient, weight.flip([2, 3]).transpose(0, 1), padding=weight.shape[-1] // 2)
    return F.conv2d(gradient, weight.transpose(0, 1), stride=2)


def _before_activation(gradient: Tensor, y: Tensor, slope: float, clamp: float | None) -> Tensor:
    """Gradient in front of leaky ReLU and clamp, whose output is y; makes at most one tensor as large as it on CPUs."""
    if slope == 1 and clamp is None:
        return gradient
    if torch.is_grad_enabled() or slope == 1:
        inner = _unclamped(gradient, y, clamp)
        return inner if slope == 1 else torch.ops.aten.leaky_relu_backward(inner, y, slope, True)
    inner = torch.empty_like(gradient)
    for to, one, other in zip(*(_strips(each) for each in (inner, gradient, y)), strict=True):
        torch.ops.aten.leaky_relu_backward.grad_input(one, other, slope, True, grad_input=to)
        if clamp is not None:
            torch.ops.aten.hardtanh_backward.grad_input(to, other, -clamp, clamp, grad_input=to)
    return inner


def _unclamped(gradient: Tensor, y: Tensor, clamp: float | None) -> Tensor:
    return gradient if clamp is None else torch.ops.aten.hardtanh_backward(gradient, y, -clamp, clamp)


def _strips(x: Tensor) -> tuple[Tensor, ...]:
    """Strips of x [N, C, H, W] that a core's cache holds; on other devices, and where gradients are kept, x itself."""
    if x.device.type != "cpu" or torch.is_grad_enabled():
        return (x,)
    return x.split(max(1, _PIECE // max(x.shape[0] * x.shape[1] * x.shape[3], 1)), dim=2)


def channel_products(first: Tensor, second: Tensor, clamp: float | None = None) -> Tensor:
    """Sum over pixels of the products of two [N, C, H, W]: [N, C], without a product as large as they are on CPUs.

    With `clamp`, pixels of `second` at or beyond this limit do not count.
    """
    parts = [
        (_unclamped(one, other, clamp) * other).sum(dim=(2, 3))
        for one, other in zip(_strips(first), _strips(second), strict=True)
    ]
    return parts[0] if len(parts) == 1 else torch.stack(parts).sum(dim=0)
