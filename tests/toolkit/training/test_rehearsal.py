from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from toy_training import ToyConfig, ToyJob

from toolkit.errors import TrainingError
from toolkit.training import Rehearsal, StepKind, rehearse


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
        "  projected total   1 h 0 min for 7200 steps like this one; pictures and evaluations come on top",
    ]


class Staged(Counted):
    """A toy with a quick stage of forty steps and a slow one of twenty, in which every other step is quick."""

    def step_kinds(self) -> Sequence[StepKind]:
        return [StepKind("one", "", 40, 39), StepKind("two", "window 1", 10, 58), StepKind("two", "window 0.5", 10, 59)]

    def training_step(self, batch: Any, step: int) -> Mapping[str, float]:
        time.sleep(0.1 if step == 58 else 0)
        return {
            f"{'one' if step < 40 else 'two'}/{name}": value
            for name, value in super().training_step(batch, step).items()
        }


def test_every_stretch_is_warmed_up_and_timed() -> None:
    job = Staged(ToyConfig(steps=60))
    outcome = rehearse(job)
    assert job.taken == [39, 39, 58, 58, 59, 59]
    assert outcome.losses.keys() == {"one/total", "one/every_third", "two/total"}
    (first, quick), (_, slow), (_, other) = outcome.step_kinds
    assert first.stage == "one" and slow >= 0.1 > max(quick, other)
    assert outcome.seconds == pytest.approx((40 * quick + 10 * slow + 10 * other) / 60)


def test_a_later_stage_that_diverges_is_said_so() -> None:
    with pytest.raises(TrainingError, match=r"'two/total' is nan when its stage is rehearsed"):
        rehearse(Staged(ToyConfig(steps=60, nan_step=58)))


def test_the_lines_give_every_stage_and_the_sum() -> None:
    step_kinds = [
        (StepKind("codes", "", 3600, 3599), 0.1),
        (StepKind("images", "window 1", 900, 5398), 2.0),
        (StepKind("images", "window 0.5", 900, 5399), 1.0),
    ]
    outcome = Rehearsal("psp", 5400, {"network": (10, 10)}, {"codes/codes": 1.0}, None, "cpu", 3060 / 5400, step_kinds)
    assert outcome.lines()[3:] == [
        "  peak memory       unknown",
        "  stage codes       0.1 seconds per step, 6 min for 3600 steps",
        "  stage images      1.5 seconds per step (window 1 2, window 0.5 1), 45 min for 1800 steps",
        "  seconds per step  0.567 on average",
        "  projected total   51 min for 5400 steps; pictures and evaluations come on top",
    ]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_its_own_memory_counts() -> None:
    job = ToyJob(ToyConfig())
    job.network.to("cuda")
    job.batch = lambda step: torch.rand(32, 2, device="cuda")  # type: ignore[method-assign]
    assert rehearse(job).device.startswith("cuda")
