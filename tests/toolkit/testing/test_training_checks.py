"""The check of trainings takes what a training has: two steps will do, one will not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from toolkit.interfaces import TrainingJob
from toolkit.tensors import write_tensors
from toolkit.testing.training_checks import check_training


class Line(TrainingJob):
    name, seed = "line", 0
    config: dict[str, object] = {}  # noqa: RUF012  # as the contract has it

    def __init__(self, steps: int) -> None:
        torch.manual_seed(0)
        self.steps, self.network = steps, nn.Linear(1, 1)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=0.1)

    def modules(self) -> dict[str, nn.Module]:
        return {"network": self.network}

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {"adam": self.optimiser}

    def batch(self, step: int) -> Tensor:
        assert step < self.steps
        return torch.rand(4, 1, generator=torch.Generator().manual_seed(step))

    def training_step(self, batch: Tensor, step: int) -> dict[str, float]:
        loss = (self.network(batch) - 2 * batch).square().mean()
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        self.optimiser.step()
        return {"l2": loss.item()}

    def export(self, path: Path) -> None:
        write_tensors(path, dict(self.network.state_dict()), {"architecture": "line"})


@pytest.mark.parametrize("steps", [2, 3, 100])
def test_a_short_training_is_checked_with_the_steps_that_it_has(steps: int, tmp_path: Path) -> None:
    check_training(lambda: Line(steps), tmp_path)


def test_a_training_of_one_step_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="has 1 step, the check takes at least 2"):
        check_training(lambda: Line(1), tmp_path)
