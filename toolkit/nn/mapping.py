"""Mapping network: latent and label to the latent that styles a synthesis network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolkit.devices import without_autocast
from toolkit.errors import InputError
from toolkit.nn.dense import Dense, normalise_second_moment


class MappingNetwork(nn.Module):
    """Normalise z and the embedded label, concatenate, and run dense layers `fc0`, `fc1`, ..."""

    w_avg: Tensor

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int,
        *,
        num_layers: int = 8,
        hidden: int | None = None,
        activation: str = "lrelu",
        last_activation: str | None = None,
        lr_multiplier: float = 0.01,
    ) -> None:
        """Lay out the layers.

        Args:
            z_dim: Length of the latent (0: none).
            c_dim: Length of the label (0: none).
            w_dim: Length of the result.
            num_ws: How often the result is repeated.
            num_layers: Number of dense layers.
            hidden: Width between them; None takes w_dim.
            activation: Non-linearity of all layers.
            last_activation: That of the last one, if it differs.
            lr_multiplier: Learning-rate multiplier of all layers (the label's embedding has 1).
        """
        super().__init__()
        self.num_ws, self.num_layers, self.c_dim = num_ws, num_layers, c_dim
        hidden = w_dim if hidden is None else hidden
        if c_dim:
            self.embed = Dense(c_dim, w_dim)
        widths = [z_dim + (w_dim if c_dim else 0)] + [hidden] * (num_layers - 1) + [w_dim]
        for index in range(num_layers):
            last = index == num_layers - 1 and last_activation is not None
            layer = Dense(
                widths[index],
                widths[index + 1],
                activation=last_activation if last and last_activation else activation,
                lr_multiplier=lr_multiplier,
            )
            self.add_module(f"fc{index}", layer)
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self, z: Tensor, label: Tensor | None, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> Tensor:
        """Map z [B, z_dim] and label [B, c_dim] to ws [B, num_ws, w_dim].

        Args:
            z: Latents of any floating type; computed in float32, under autocast too.
            label: Labels, or None where c_dim is 0.
            truncation: Distance from the average latent that is kept; 1 changes nothing.
            truncation_cutoff: How many of the repeated latents are truncated; None: all.

        Raises:
            InputError: A label is missing.
        """
        with without_autocast(z):
            return self._map(z, label, truncation, truncation_cutoff)

    def _map(self, z: Tensor, label: Tensor | None, truncation: float, truncation_cutoff: int | None) -> Tensor:
        parts = [normalise_second_moment(z.to(self.w_avg.dtype))]
        if self.c_dim:
            if label is None:
                raise InputError("this mapping network needs a camera label, got none")
            parts.append(normalise_second_moment(self.embed(label.to(self.w_avg.dtype))))
        w = torch.cat(parts, dim=1)
        for index in range(self.num_layers):
            w = self.get_submodule(f"fc{index}")(w)
        ws = w[:, None].expand(-1, self.num_ws, -1)
        if truncation == 1:
            return ws.clone()
        cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
        near = self.w_avg.lerp(ws[:, :cutoff], truncation)
        return torch.cat([near, ws[:, cutoff:]], dim=1)
