"""Point decoder: from the features read at a point to a raw density and output features."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.nn.activation import activate
from toolkit.nn.dense import Dense
from toolkit.nn.two_layers import two_layers

SIGMOID_MARGIN = 0.001
_EXP_LIMIT = 80.0
"""Beyond it, exp leaves float32, and softplus is the identity long before."""

FEATURE_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "sigmoid": lambda x: torch.sigmoid(x) * (1 + 2 * SIGMOID_MARGIN) - SIGMOID_MARGIN,
    "lrelu": lambda x: activate(x, "lrelu"),
}
"""What may follow the decoder's feature outputs (the density stays raw)."""


class PointDecoder(nn.Module):
    """Dense, softplus, dense; output 0 is the raw density, the rest are features.

    Channels come first in every shape; in memory, they are neighbours.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        hidden: int = 64,
        activation: str = "none",
        lr_multiplier: float = 1.0,
        density_scale: float = 1.0,
    ) -> None:
        """Lay out the layers.

        Args:
            in_features: Channels read at a point.
            out_features: Channels put out beside the density.
            hidden: Channels in between.
            activation: A name of `FEATURE_ACTIVATIONS`.
            lr_multiplier: Of both layers.
            density_scale: Factor on the density: where surfaces need raw densities in the hundreds, weights of unit
                size reach them at once with it, and after a long training without.

        Raises:
            KeyError: Unknown activation.
        """
        super().__init__()
        self.activation, self.density_scale = activation, density_scale
        if activation not in FEATURE_ACTIVATIONS:
            raise KeyError(activation)
        self.net = nn.Sequential(
            Dense(in_features, hidden, lr_multiplier=lr_multiplier),
            nn.Softplus(),
            Dense(hidden, 1 + out_features, lr_multiplier=lr_multiplier),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Decode x [B, C, M] to raw density [B, M] and features [B, F, M]."""
        if torch.is_grad_enabled():
            rows = x.transpose(1, 2)
            out = two_layers(rows.flatten(0, 1), self._first(), self._last()).unflatten(0, rows.shape[:2])
            density = out[..., 0].contiguous()  # later steps keep it, and not all features with it
        else:
            out = F.linear(self._hidden(x), *self._last())
            density = out[..., 0]
        return density, FEATURE_ACTIVATIONS[self.activation](out[..., 1:]).transpose(1, 2)

    def density(self, x: Tensor) -> Tensor:
        """Decode x [B, C, M] to raw density [B, M] alone."""
        weight, bias = self._last()
        return F.linear(self._hidden(x), weight[:1], bias[:1])[..., 0]

    def weights(self) -> DecoderWeights:
        """The weights as they act on an input, with gradients to the parameters where these are recorded."""
        return DecoderWeights(*self._first(), *self._last(), self.activation)

    def _hidden(self, x: Tensor) -> Tensor:
        """Activations [B, M, H] of the first layer."""
        return softplus(F.linear(x.transpose(1, 2), *self._first()))

    def _first(self) -> tuple[Tensor, Tensor]:
        first = self.net[0]
        assert isinstance(first, Dense)  # for the type checker
        weight, bias = first.scaled()
        assert bias is not None
        return weight, bias

    def _last(self) -> tuple[Tensor, Tensor]:
        last = self.net[2]
        assert isinstance(last, Dense)
        weight, bias = last.scaled()
        assert bias is not None
        if self.density_scale == 1:
            return weight, bias
        scale = torch.ones_like(bias)
        scale[0] = self.density_scale
        return weight * scale[:, None], bias * scale


class DecoderWeights(NamedTuple):
    """A decoder as plain tensors, dense, softplus, dense; without gradients, features can wait for the density."""

    first_weight: Tensor
    """[H, C]."""
    first_bias: Tensor
    """[H]."""
    last_weight: Tensor
    """[1 + F, H]; row 0 gives the raw density."""
    last_bias: Tensor
    """[1 + F]."""
    activation: str
    """A name of `FEATURE_ACTIVATIONS`."""

    def hidden(self, x: Tensor) -> Tensor:
        """Activations [M, H] of x [C, M]."""
        return softplus(F.linear(x.t(), self.first_weight, self.first_bias))

    def density(self, hidden: Tensor) -> Tensor:
        """Raw density [M] of activations [M, H]."""
        return torch.mv(hidden, self.last_weight[0]).add_(self.last_bias[0])

    def features(self, hidden: Tensor) -> Tensor:
        """Features [M, F] of activations [M, H]."""
        out = F.linear(hidden, self.last_weight[1:], self.last_bias[1:])
        return FEATURE_ACTIVATIONS[self.activation](out)


def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)), to rounding; overwrites x on CPUs where no gradient is kept, in half the time."""
    if torch.is_grad_enabled() or x.device.type != "cpu" or not x.numel() or float(x.amax()) > _EXP_LIMIT:
        return F.softplus(x)
    return x.exp_().add_(1).log_()
