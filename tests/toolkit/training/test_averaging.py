from __future__ import annotations

import torch
from torch import nn

from toolkit.training import WeightAverage


def test_the_average_follows_with_the_given_decay_and_copies_buffers() -> None:
    network = nn.BatchNorm1d(2)
    average = WeightAverage(network)
    with torch.no_grad():
        network.weight.fill_(3.0)
        network.running_mean.fill_(5.0)
    average.update(network, 0.75)
    assert torch.allclose(average.module.weight, torch.full((2,), 1.5))
    assert torch.equal(average.module.running_mean, torch.full((2,), 5.0))
    assert not average.module.training and not average.module.weight.requires_grad
    assert network.training and network.weight.requires_grad


def test_the_average_comes_back_from_its_state() -> None:
    network = nn.Linear(2, 2)
    average = WeightAverage(network)
    with torch.no_grad():
        network.weight.add_(1.0)
    average.update(network, 0.5)
    other = WeightAverage(nn.Linear(2, 2))
    other.load_state(average.state())
    assert torch.equal(other.module.weight, average.module.weight)
