from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from toy_training import ToyConfig, ToyJob, metrics, weights

from toolkit.errors import InputError, TrainingError
from toolkit.progress import Silence
from toolkit.training import Cadence, train


def toy(**settings: Any) -> ToyJob:
    return ToyJob(ToyConfig(**settings))


class Recorder(Silence):
    def __init__(self) -> None:
        self.sentences: list[str] = []

    def note(self, text: str) -> None:
        self.sentences.append(text)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never stopped."""
    out = tmp_path_factory.mktemp("straight") / "run"
    train(toy(), out)
    return out


def test_a_run_learns_and_leaves_the_files_that_it_promises(straight: Path) -> None:
    lines = metrics(straight)
    losses = [line for line in lines if "losses" in line]
    assert [line["step"] for line in losses] == [7, 14, 21, 28, 35, 42, 49, 56, 60]
    assert [line["step"] for line in lines if "evaluation" in line] == [25, 50, 60]
    assert losses[-1]["losses"]["total"] < 0.9 * losses[0]["losses"]["total"]
    assert sorted(path.name for path in (straight / "checkpoints").iterdir()) == [
        "step-00000050.json",
        "step-00000050.safetensors",
        "step-00000060.json",
        "step-00000060.safetensors",
    ]
    assert sorted(path.name for path in (straight / "sheets").iterdir()) == [
        f"step-000000{step}.png" for step in (20, 40, 60)
    ]
    assert np.asarray(Image.open(straight / "sheets" / "step-00000020.png")).shape == (4, 6, 3)
    run = json.loads((straight / "run.json").read_text())
    assert run["config"]["learning_rate"] == 0.01 and run["seed"] == 3
    assert run["sessions"][0]["threads"] == torch.get_num_threads()


def test_logged_losses_are_averages_since_the_line_before(tmp_path: Path) -> None:
    job = toy(steps=14)
    train(job, tmp_path / "run")
    first, second = [line for line in metrics(tmp_path / "run") if "losses" in line]
    assert first["losses"]["total"] == pytest.approx(np.mean(job.seen[:7]))
    assert second["losses"]["total"] == pytest.approx(np.mean(job.seen[7:]))
    assert first["losses"]["every_third"] == pytest.approx(np.mean(job.seen[:7:3]))


@pytest.mark.parametrize("stops", [[3], [23, 9, 1], [60]])
def test_a_resumed_run_is_bit_identical_to_one_never_stopped(tmp_path: Path, straight: Path, stops: list[int]) -> None:
    out = tmp_path / "run"
    for index, steps in enumerate(stops):
        run = train(toy(), out, resume=index > 0, max_steps=steps)
        assert run.step == sum(stops[: index + 1])
    torch.rand(5)  # whatever else happens in the process must not matter
    job = toy()
    run = train(job, out, resume=True)
    assert run.finished and run.step == 60 and len(job.seen) == 60
    assert metrics(out) == metrics(straight)
    assert weights(out) == weights(straight)


def test_a_crash_between_checkpoints_loses_only_the_steps_since(tmp_path: Path, straight: Path) -> None:
    class Crash(ToyJob):
        def training_step(self, batch: Any, step: int) -> Any:
            if step == 26:
                raise KeyboardInterrupt
            return super().training_step(batch, step)

    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(Crash(ToyConfig()), out)
    assert metrics(out)[-1]["step"] == 25
    with open(out / "metrics.jsonl", "a") as file:
        file.write('{"step": 28, "los')  # cut off in the writing
    (out / "checkpoints" / ".step-00000030-abc.safetensors").write_bytes(b"half")
    train(toy(), out, resume=True)
    assert metrics(out) == metrics(straight)
    assert weights(out) == weights(straight)
    assert not list((out / "checkpoints").glob(".*"))


def test_sheets_and_evaluations_do_not_change_what_is_learnt(tmp_path: Path, straight: Path) -> None:
    train(toy(), tmp_path / "run", cadence=Cadence(log_every=7, sheet_every=1, evaluate_every=1))
    assert weights(tmp_path / "run") == weights(straight)


def test_a_checkpoint_is_also_written_by_time(tmp_path: Path) -> None:
    train(toy(steps=5), tmp_path / "run", cadence=Cadence(checkpoint_seconds=1e-6, keep=9))
    assert len(list((tmp_path / "run" / "checkpoints").glob("*.json"))) == 5


def test_max_seconds_ends_a_session_with_weights(tmp_path: Path) -> None:
    run = train(toy(pause=0.02, steps=5000), tmp_path / "run", max_seconds=0.2)
    assert 1 <= run.step <= 12 and not run.finished
    assert run.weights.exists()


def test_a_folder_with_something_in_it_is_refused_without_resume(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(InputError, match="is not empty"):
        train(toy(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_resume_begins_where_nothing_was_saved_yet(tmp_path: Path, straight: Path) -> None:
    out, recorder = tmp_path / "run", Recorder()
    train(toy(), out, resume=True, progress=recorder)
    assert weights(out) == weights(straight)
    assert recorder.sentences[0] == f"no checkpoint in {out} yet: beginning with the first step"


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(toy(steps=20), out)
    before = metrics(out), weights(out)
    assert train(toy(steps=20), out, resume=True).finished
    assert (metrics(out), weights(out)) == before


def test_a_loss_that_is_not_finite_stops_with_its_name_and_step(tmp_path: Path, straight: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(TrainingError, match=r"'total' is nan in step 34"):
        train(toy(nan_step=33), out)
    assert max(path.stem for path in (out / "checkpoints").glob("*.json")) == "step-00000030"
    train(toy(), out, resume=True)
    assert metrics(out) == metrics(straight)


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    class Spoilt(ToyJob):
        def training_step(self, batch: Any, step: int) -> Any:
            losses = super().training_step(batch, step)
            if step == 19:
                self.network[0].weight.data[0, 0] = float("inf")
            return losses

    with pytest.raises(TrainingError, match=r"network/0.weight' is not finite after step 20"):
        train(Spoilt(ToyConfig()), tmp_path / "run")
    assert [path.stem for path in (tmp_path / "run" / "checkpoints").glob("*.json")] == ["step-00000010"]


@pytest.mark.parametrize(
    ("change", "key"), [({"learning_rate": 0.5}, "learning_rate"), ({"width": 8}, "width"), ({"seed": 4}, "seed")]
)
def test_a_checkpoint_of_other_settings_is_refused_by_the_key(tmp_path: Path, change: dict[str, Any], key: str) -> None:
    train(toy(), tmp_path / "run", max_steps=10)
    with pytest.raises(TrainingError, match=f"'{key}' was .* there and is {change[key]} now"):
        train(toy(**change), tmp_path / "run", resume=True)


def test_another_cadence_may_resume(tmp_path: Path, straight: Path) -> None:
    train(toy(), tmp_path / "run", max_steps=10)
    train(toy(cadence=Cadence(checkpoint_every=3)), tmp_path / "run", resume=True)
    assert weights(tmp_path / "run") == weights(straight)


def test_a_checkpoint_of_another_job_is_refused(tmp_path: Path) -> None:
    train(toy(), tmp_path / "run", max_steps=10)
    stranger = toy()
    stranger.name = "stranger"
    with pytest.raises(TrainingError, match="'job' was 'toy' there and is 'stranger' now"):
        train(stranger, tmp_path / "run", resume=True)


def test_a_checkpoint_of_changed_code_is_refused(tmp_path: Path) -> None:
    train(toy(), tmp_path / "run", max_steps=10)
    changed = toy()
    changed.network.append(torch.nn.Linear(1, 1))
    with pytest.raises(TrainingError, match="does not fit this version of 'toy'"):
        train(changed, tmp_path / "run", resume=True)


def test_a_damaged_checkpoint_is_set_aside_for_the_one_before(tmp_path: Path, straight: Path) -> None:
    out = tmp_path / "run"
    train(toy(), out, max_steps=30)
    newest = out / "checkpoints" / "step-00000030.safetensors"
    data = bytearray(newest.read_bytes())
    data[-1] ^= 1
    newest.write_bytes(data)
    recorder = Recorder()
    train(toy(), out, resume=True, progress=recorder)
    assert "checkpoint step-00000030 is damaged" in recorder.sentences[0]
    assert json.loads((out / "run.json").read_text())["sessions"][1]["from_step"] == 20
    assert (out / "checkpoints" / "step-00000030.safetensors.damaged").exists()
    assert metrics(out) == metrics(straight) and weights(out) == weights(straight)


def test_only_damaged_checkpoints_are_an_error_not_a_fresh_start(tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(toy(), out, max_steps=30)
    for seal in (out / "checkpoints").glob("*.json"):
        seal.write_text("{")
    for _ in range(2):
        with pytest.raises(TrainingError, match=r"every checkpoint in .* is damaged"):
            train(toy(), out, resume=True)


def test_a_thread_without_signal_handlers_can_train(tmp_path: Path) -> None:
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(train(toy(steps=3), tmp_path / "run").finished))
    thread.start()
    thread.join()
    assert results == [True]
