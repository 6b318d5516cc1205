from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from toy_training import ToyConfig, ToyJob

from toolkit.errors import ConfigError
from toolkit.training import Cadence, train
from toolkit.training.best import BestSoFar

SCORES = {10: 0.5, 20: 0.1, 30: 0.3, 40: float("nan"), 50: 0.2}


class Scored(ToyJob):
    """A toy whose evaluations say what the test wants."""

    def evaluate(self, step: int) -> Mapping[str, float]:
        return {"error": SCORES[step], "psnr": -SCORES[step]}


def scored(best: str | None = "error", steps: int = 50, **cadence: Any) -> Scored:
    every = {"evaluate_every": 10, "checkpoint_every": 5, "keep": 1}
    return Scored(ToyConfig(steps=steps, cadence=Cadence(best=best, **every, **cadence)))


def kept(out: Path) -> list[str]:
    return sorted(path.stem for path in (out / "checkpoints").glob("*.json"))


def assert_best_is_of_step_20(out: Path, tmp_path: Path) -> None:
    assert kept(out) == ["step-00000020", "step-00000050"]
    train(scored(best=None), tmp_path / "short", max_steps=20)
    best, expected = load_file(out / "best.safetensors"), load_file(tmp_path / "short" / "weights.safetensors")
    assert all(best[name].equal(value) for name, value in expected.items())
    assert not best["0.weight"].equal(load_file(out / "weights.safetensors")["0.weight"])


def test_the_best_weights_and_their_checkpoint_are_kept(tmp_path: Path) -> None:
    train(scored(), tmp_path / "run")
    assert_best_is_of_step_20(tmp_path / "run", tmp_path)


def test_a_resumed_run_remembers_the_best(tmp_path: Path) -> None:
    train(scored(), tmp_path / "run", max_steps=25)
    train(scored(), tmp_path / "run", resume=True)
    assert_best_is_of_step_20(tmp_path / "run", tmp_path)


def test_a_kill_between_the_best_weights_and_their_checkpoint_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import toolkit.training.engine as engine

    original = engine.save_checkpoint

    def dies_at_20(folder: Path, step: int, *rest: Any, **more: Any) -> Path:
        if step == 20:
            raise KeyboardInterrupt
        return original(folder, step, *rest, **more)

    with monkeypatch.context() as patched:
        patched.setattr(engine, "save_checkpoint", dies_at_20)
        with pytest.raises(KeyboardInterrupt):
            train(scored(), tmp_path / "run")
    train(scored(), tmp_path / "run", resume=True)
    assert_best_is_of_step_20(tmp_path / "run", tmp_path)


def test_the_highest_may_be_the_best() -> None:
    best = BestSoFar(Cadence(best="psnr", best_is="highest"))
    assert [best.improved(step, {"psnr": -score}) for step, score in SCORES.items()] == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert best.step == 20


def test_every_part_of_a_training_begins_anew() -> None:
    best, resumed = (BestSoFar(Cadence(best="error")) for _ in range(2))
    assert best.improved(10, {"error": 0.1}, "codes") and not best.improved(20, {"error": 0.2}, "codes")
    assert best.improved(30, {"error": 0.9}, "images") and best.step == 30
    resumed.load_state(best.state())
    assert not resumed.improved(40, {"error": 1.0}, "images") and resumed.improved(50, {"error": 0.8}, "images")


def test_without_a_name_only_the_last_checkpoints_are_kept(tmp_path: Path) -> None:
    train(scored(best=None), tmp_path / "run")
    assert kept(tmp_path / "run") == ["step-00000050"] and not (tmp_path / "run" / "best.safetensors").exists()


def test_a_score_that_no_evaluation_has_is_named_with_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no score 'eror'; the evaluation has error, psnr"):
        train(scored(best="eror"), tmp_path / "run")
