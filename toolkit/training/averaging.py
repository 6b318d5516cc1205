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

    def __init__(self, network: _Net, *, copied: bool = True) -> None:
        """Start at the network's present weights.

        Args:
            network: The network in training.
            copied: False where no average is wanted: `module` is the network itself, and takes no memory and no place
                in checkpoints.
        """
        self.copied = copied
        self.module: _Net = copy.deepcopy(network).eval().requires_grad_(False) if copied else network

    @torch.no_grad()
    def update(self, network: _Net, decay: float) -> None:
        """Move by (1 - decay) towards the network's weights; buffers are copied.

        Args:
            network: The network in training.
            decay: In [0, 1]: 0 copies, 1 stands still.
        """
        if not self.copied:
            return
        for mean, value in zip(self.module.parameters(), network.parameters(), strict=True):
            mean.lerp_(value, 1.0 - decay)
        for mirror, buffer in zip(self.module.buffers(), network.buffers(), strict=True):
            mirror.copy_(buffer)

    def state(self) -> Mapping[str, Tensor]:
        """The averaged weights, for `TrainingJob.state`; empty where there is no average."""
        return self.module.state_dict() if self.copied else {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take averaged weights back; where no average is kept, those of a checkpoint are left."""
        if self.copied:
            self.module.load_state_dict(state)
