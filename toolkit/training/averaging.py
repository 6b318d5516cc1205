"""An exponential moving average of weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Generic, TypeVar

import torch
from torch import Tensor
from torch.nn import Module

_Net = TypeVar("_Net", bound=Module)


class WeightAverage(Generic[_Net]):
    """Keeps `module`, a frozen copy in eval mode whose parameters follow those of a network in training."""

    def __init__(self, network: _Net) -> None:
        """Start at the network's present weights."""
        self.module: _Net = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: _Net, decay: float) -> None:
        """Move by (1 - decay) towards the network's weights; buffers are copied.

        Args:
            network: The network in training.
            decay: In [0, 1]: 0 copies, 1 stands still.
        """
        for mean, value in zip(self.module.parameters(), network.parameters(), strict=True):
            mean.lerp_(value, 1.0 - decay)
        for mirror, buffer in zip(self.module.buffers(), network.buffers(), strict=True):
            mirror.copy_(buffer)

    def state(self) -> Mapping[str, Tensor]:
        """The averaged weights, for `TrainingJob.state`."""
        return self.module.state_dict()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take averaged weights back."""
        self.module.load_state_dict(state)
