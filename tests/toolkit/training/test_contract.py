"""Jobs of strangers: those that derive from the contract, those that do not, and those that forgot something."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from toy_training import ToyConfig, ToyJob

from toolkit.errors import PluginError
from toolkit.training import TrainingJob, rehearse, train


class Bare:
    """Everything of a toy but its class: no optional part is inherited."""

    def __init__(self, without: str = "") -> None:
        toy = ToyJob(ToyConfig(steps=3))
        for name in dir(toy):
            if not name.startswith("__") and name != without:
                setattr(self, name, getattr(toy, name))


class Forgetful(TrainingJob):
    name, seed, steps = "forgetful", 0, 3

    def batch(self, step: int) -> Any:
        return None

    def training_step(self, batch: Any, step: int) -> Mapping[str, float]:
        return {}


def test_a_job_of_any_class_trains_if_it_has_every_part(tmp_path: Path) -> None:
    run = train(Bare(), tmp_path / "bare")
    usual = train(ToyJob(ToyConfig(steps=3)), tmp_path / "usual")
    assert run.finished and run.weights.read_bytes() == usual.weights.read_bytes()


@pytest.mark.parametrize("part", ["trained_for", "step_kinds", "sheet", "cadence", "optimisers", "rehearsed_only"])
def test_a_missing_part_is_named_before_anything_is_written(part: str, tmp_path: Path) -> None:
    sentence = f"the training Bare lacks {part}; derive it from toolkit.training.TrainingJob"
    with pytest.raises(PluginError, match=sentence):
        train(Bare(without=part), tmp_path / "run")
    with pytest.raises(PluginError, match=sentence):
        rehearse(Bare(without=part))
    assert not (tmp_path / "run").exists()


def test_required_parts_are_not_inherited(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="Forgetful lacks config, modules, optimisers, export; derive"):
        train(Forgetful(), tmp_path / "run")
