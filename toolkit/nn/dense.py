"""Dense layer with equalised learning rate."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.nn.activation import activate

SECOND_MOMENT_EPSILON = 1e-8


def normalise_second_moment(x: Tensor) -> Tensor:
    """Scale each row of x [N, F] to a mean square of 1."""
    return x * (x.square().mean(dim=1, keepdim=True) + SECOND_MOMENT_EPSILON).rsqrt()


class Dense(nn.Module):
    """y = act(x W^T lr / sqrt(inputs) + b lr), the stored weight being of unit variance (divided by lr)."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: bool = True,
        activation: str = "linear",
        lr_multiplier: float = 1.0,
        bias_init: float = 0.0,
    ) -> None:
        """Draw the weight from a normal distribution of deviation 1 / lr_multiplier.

        Args:
            in_features: Length of an input row.
            out_features: Length of an output row.
            bias: Whether there is one.
            activation: A name of `toolkit.nn.activation`.
            lr_multiplier: Factor on weight and bias at run time.
            bias_init: First value of the bias as the layer applies it.
        """
        super().__init__()
        self.activation = activation
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((out_features,), bias_init / lr_multiplier)) if bias else None

    def scaled(self, dtype: torch.dtype | None = None) -> tuple[Tensor, Tensor | None]:
        """Weight [out, in] and bias [out] as they act on an input."""
        dtype = dtype or self.weight.dtype
        weight = self.weight.to(dtype) * self.weight_gain
        if self.bias is None:
            return weight, None
        return weight, self.bias.to(dtype) * self.bias_gain if self.bias_gain != 1 else self.bias.to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [N, in_features] to [N, out_features]."""
        weight, bias = self.scaled(x.dtype)
        return activate(F.linear(x, weight, bias), self.activation)
