"""The averages themselves are in test_distribution.py, in real processes."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from toolkit.errors import TrainingError
from toolkit.training import EngineSettings, Stepper, distribution, stepping
from toolkit.training.overlapping import OverlappingGradients, parameters_of


def test_alone_it_is_a_backward_pass_and_wraps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OverlappingGradients, "_together", None)
    weight = nn.Parameter(torch.tensor([1.0, 2.0]))
    gradients = OverlappingGradients(torch.optim.SGD([weight], 1.0))
    gradients.backward(lambda: weight.square().sum(), last=False)
    gradients.backward(lambda: weight.sum())
    assert weight.grad is not None and weight.grad.tolist() == [3.0, 5.0]


def test_alone_nothing_of_it_is_imported() -> None:
    program = (
        "import sys, torch; from toolkit.training.overlapping import OverlappingGradients as O\n"
        "before = 'torch.nn.parallel.distributed' in sys.modules\n"
        "weight = torch.nn.Parameter(torch.ones(1)); O(torch.optim.SGD([weight], 1.0)).backward(lambda: weight.sum())\n"
        "assert before == ('torch.nn.parallel.distributed' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_only_the_optimiser_that_steps_is_averaged_while_backward_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    averaged: list[list[nn.Parameter]] = []
    monkeypatch.setattr(stepping, "average_gradients", lambda parameters: averaged.append(list(parameters)))
    first, second = nn.Linear(1, 1), nn.Linear(1, 1)
    one, other = (torch.optim.SGD(each.parameters(), 0.1) for each in (first, second))
    stepper = Stepper(EngineSettings())
    stepper.backward(lambda rows: {"loss": first(rows).sum()}, torch.ones(2, 1), one)
    stepper.update(one)
    assert averaged == []
    stepper.backward(lambda rows: {"loss": second(rows).sum()}, torch.ones(2, 1))
    stepper.update(other)
    stepper.backward(lambda rows: {"loss": second(rows).sum()}, torch.ones(2, 1), one)
    stepper.update(other)
    assert averaged == [parameters_of(other)] * 2


def test_an_error_of_the_computation_is_not_blamed_on_another_process() -> None:
    with pytest.raises(RuntimeError, match="sizes do not fit"), distribution.peers_watched(computing=True):
        raise RuntimeError("sizes do not fit")
    message = "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:554] Connection closed by peer [127.0.0.1]:9"
    with pytest.raises(TrainingError, match="another process"), distribution.peers_watched(computing=True):
        raise RuntimeError(message)
