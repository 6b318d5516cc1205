from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from toy_training import ToyConfig, ToyJob

from toolkit.errors import TrainingError
from toolkit.training import Rehearsal, rehearse


class Counted(ToyJob):
    """A toy that remembers its steps."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__(config)
        self.taken: list[int] = []

    def training_step(self, batch: Any, step: int) -> Mapping[str, float]:
        self.taken.append(step)
        return super().training_step(batch, step)


def test_a_rehearsal_counts_parameters_and_times_a_warm_step() -> None:
    job = Counted(ToyConfig(width=5, pause=0.05))
    job.network[3].requires_grad_(False)
    outcome = rehearse(job)
    assert job.taken == [0, 1]
    assert outcome.parameters == {"network": (21, 15)}
    assert outcome.losses.keys() == {"total", "every_third"} and outcome.seconds >= 0.05
    assert outcome.memory is not None and outcome.memory > 2**24 and outcome.device == "cpu"


def test_a_training_of_one_step_takes_no_second_one() -> None:
    job = Counted(ToyConfig(steps=1))
    rehearse(job)
    assert job.taken == [0]


def test_a_first_step_that_diverges_is_said_so() -> None:
    with pytest.raises(TrainingError, match=r"'total' is nan in the first step"):
        rehearse(ToyJob(ToyConfig(nan_step=0)))


def test_the_lines_give_the_projected_total() -> None:
    outcome = Rehearsal("psp", 7200, {"encoder": (1234567, 1000)}, {"l2": 0.5}, 1_500_000_000, "cpu", 0.5)
    assert outcome.lines() == [
        "psp: nothing was written",
        "  encoder           1,234,567 parameters, 1,000 of them trained",
        "  losses            l2 0.5",
        "  peak memory       1.50 GB (cpu)",
        "  seconds per step  0.5",
        "  projected total   1:00:00 for 7200 steps like this one; pictures and evaluations come on top",
    ]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_its_own_memory_counts() -> None:
    job = ToyJob(ToyConfig())
    job.network.to("cuda")
    job.batch = lambda step: torch.rand(32, 2, device="cuda")  # type: ignore[method-assign]
    assert rehearse(job).device.startswith("cuda")
