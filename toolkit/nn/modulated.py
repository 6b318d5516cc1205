"""Modulated convolution: StyleGAN2's way of letting a style scale what a layer reads."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from toolkit.nn.convolution import convolve

DEMODULATION_EPSILON = 1e-8


def demodulation(weight: Tensor, styles: Tensor) -> Tensor:
    """Factors [N, O] that bring each output channel back to unit variance, for weight [O, I, k, k], styles [N, I]."""
    return (styles.square() @ _Energy.apply(weight).t() + DEMODULATION_EPSILON).rsqrt()


class _Energy(torch.autograd.Function):
    """Sum of squares [O, I] over the taps of a weight; its gradient is one pass over the weight."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        return weight.square().sum(dim=(2, 3))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (weight,) = ctx.saved_tensors
        return weight * (2 * gradient)[..., None, None]


def modulated_convolve(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    *,
    kernel: Tensor | None = None,
    up: int = 1,
    demodulate: bool = True,
    noise: Tensor | None = None,
) -> Tensor:
    """Convolve each sample with the weight scaled by its own style.

    Scales the activations before and after one ordinary convolution rather than the weight of every sample: no grouped
    convolution, and where only styles or inputs need gradients, no gradient of the weight is computed.

    Args:
        x: [N, I, H, W].
        weight: [O, I, k, k]; a cross-correlation where up is 1, a true convolution where it is 2.
        styles: [N, I].
        kernel: Low-pass filter for up = 2.
        up: 1 or 2.
        demodulate: Whether to normalise the output channels.
        noise: Broadcastable to the output; added after demodulation.

    Returns:
        [N, O, H up, W up].
    """
    styles = styles.to(x.dtype)
    weight = weight.to(x.dtype)
    if weight.shape[-1] == 1 and not demodulate and up == 1:
        # a weight per sample is smaller than its activations
        own = weight[:, :, 0, 0] * styles[:, None]
        x = torch.matmul(x.flatten(2).transpose(1, 2), own.transpose(1, 2)).transpose(1, 2).unflatten(2, x.shape[2:])
        return x if noise is None else x + noise
    scale = demodulation(weight, styles)[:, :, None, None] if demodulate else None
    if x.shape[0] == 1 and not torch.is_grad_enabled():
        # a single sample's own weight is smaller than its activations, and nobody asks for its gradient
        own = weight * styles[0, :, None, None]
        own = own if scale is None else own * scale[0, :, None]
        x, scale = convolve(x, own, kernel, up=up, flip=up > 1), None
    else:
        x = convolve(x * styles[:, :, None, None], weight, kernel, up=up, flip=up > 1)
    if scale is None:
        return x if noise is None else x + noise
    return x * scale if noise is None else torch.addcmul(noise.to(x.dtype), x, scale)
