"""Signals that come while, or right before, held-out data are scored."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor
from toy_training import ToyConfig, ToyJob, metrics, weights

from toolkit.errors import Interrupted
from toolkit.training import Cadence, train

CADENCE = Cadence(log_every=7, evaluate_every=25, best="error")


class Signalled(ToyJob):
    """A toy that gets SIGINT at one place."""

    in_step: int | None = None
    in_evaluation: int | None = None
    in_export = False

    def training_step(self, batch: Tensor, step: int) -> Mapping[str, float]:
        self._signal_if(self.in_step == step)
        return super().training_step(batch, step)

    def evaluate(self, step: int) -> Mapping[str, float]:
        torch.rand(3)
        self._signal_if(self.in_evaluation == step)
        return super().evaluate(step)

    def export(self, path: Path) -> None:
        self._signal_if(self.in_export)
        super().export(path)

    def _signal_if(self, now: bool) -> None:
        if now:
            os.kill(os.getpid(), signal.SIGINT)
            if self.in_step is None:
                raise AssertionError("the signal has not ended it")


def job(**place: int | bool) -> Signalled:
    made = Signalled(ToyConfig(cadence=CADENCE))
    vars(made).update(place)
    return made


def evaluations(out: Path) -> list[int]:
    return [line["step"] for line in metrics(out) if "evaluation" in line]


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never stopped."""
    out = tmp_path_factory.mktemp("straight") / "run"
    train(job(), out)
    return out


@pytest.fixture
def same_as_straight(straight: Path) -> Callable[[Path], None]:
    def check(out: Path) -> None:
        assert metrics(out) == metrics(straight) and weights(out) == weights(straight)
        assert (out / "best.safetensors").read_bytes() == (straight / "best.safetensors").read_bytes()

    return check


@pytest.mark.parametrize(
    ("place", "step", "scored"),
    [
        ({"in_evaluation": 25}, 25, []),
        ({"in_evaluation": 60}, 60, [25, 50]),
        ({"in_step": 49}, 50, [25]),
        ({"in_export": True}, 25, []),
    ],
    ids=["in an evaluation", "in the last one", "in the step before one", "while the best are written"],
)
def test_the_run_stops_and_scores_again_when_it_goes_on(
    tmp_path: Path, same_as_straight: Callable[[Path], None], place: dict[str, int | bool], step: int, scored: list[int]
) -> None:
    out = tmp_path / "run"
    with pytest.raises(Interrupted, match=f"stopped by SIGINT after step {step} of 60"):
        train(job(**place), out)
    assert evaluations(out) == scored and not (out / "weights.safetensors").exists()
    assert (out / "checkpoints" / f"step-{step:08d}.json").exists()
    train(job(), out, resume=True)
    same_as_straight(out)


def test_a_signal_may_end_it_again(tmp_path: Path, same_as_straight: Callable[[Path], None]) -> None:
    out = tmp_path / "run"
    for resume in (False, True):
        with pytest.raises(Interrupted, match="after step 25 of 60"):
            train(job(in_evaluation=25), out, resume=resume)
    train(job(), out, resume=True)
    same_as_straight(out)


def test_a_kill_after_it_was_done_again_leaves_one_line(
    tmp_path: Path, same_as_straight: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    with pytest.raises(Interrupted):
        train(job(in_evaluation=25), out)
    killed = job()
    monkeypatch.setattr(killed, "batch", None)  # ends the run at its next step, and nothing is saved
    with pytest.raises(TypeError):
        train(killed, out, resume=True)
    assert evaluations(out) == [25]
    train(job(), out, resume=True)
    same_as_straight(out)
