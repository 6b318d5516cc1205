"""Real processes, really killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from toy_training import ToyConfig, ToyJob, metrics, weights

from toolkit.training import Cadence, train

PROGRAM = [sys.executable, str(Path(__file__).with_name("toy_training.py")), "toy", "--threads", "1"]
ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 300.0
"""Seconds; a busy machine takes a minute for what takes a second."""


def start(out: Path, *options: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*PROGRAM, "--out", str(out), *options], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for_file(process: subprocess.Popen[str], path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        if time.monotonic() > deadline or process.poll() is not None:
            process.kill()
            raise AssertionError(f"no {path}: {process.communicate()[1]}")
        time.sleep(0.01)


def wait_for_step(process: subprocess.Popen[str], out: Path, step: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if any(int(seal.stem.split("-")[1]) >= step for seal in (out / "checkpoints").glob("step-*.json")):
            return
        time.sleep(0.01)
    process.kill()
    raise AssertionError(f"no checkpoint of step {step}: {process.communicate()[1]}")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A run that was never stopped."""
    out = tmp_path_factory.mktemp("straight") / "run"
    train(ToyJob(ToyConfig()), out)
    return out


def test_kill_9_and_resume_give_what_an_unbroken_run_gives(tmp_path: Path, straight: Path) -> None:
    out = tmp_path / "run"
    process = start(out, "--set", "pause=0.02")
    wait_for_step(process, out, 20)
    time.sleep(0.09)  # somewhere between two checkpoints
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL and not (out / "weights.safetensors").exists()
    process = start(out, "--resume")
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, stderr
    assert stdout.strip() == str(out / "weights.safetensors")
    assert json.loads((out / "run.json").read_text())["sessions"][1]["from_step"] >= 20
    assert metrics(out) == metrics(straight)
    assert weights(out) == weights(straight)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_the_step_in_hand_and_sets_the_exit_code(
    tmp_path: Path, straight: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "run"
    process = start(out, "--set", "pause=0.02", "--set", "cadence.checkpoint_every=5")
    wait_for_step(process, out, 5)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, stderr
    last = stderr.strip().splitlines()[-1]
    assert last.startswith(f"error: stopped by {number.name} after step ") and "--resume goes on" in last
    step = int(last.split("after step ")[1].split()[0])
    assert (out / "checkpoints" / f"step-{step:08d}.json").exists()
    train(ToyJob(ToyConfig(cadence=Cadence(log_every=7, evaluate_every=25))), out, resume=True)
    assert metrics(out) == metrics(straight)
    assert weights(out) == weights(straight)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_an_evaluation_which_is_done_again(
    tmp_path: Path, straight: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "run"
    process = start(out, "--set", f"evaluation_seconds={10 * PATIENCE}", "--set", "cadence.sheet_every=25")
    wait_for_file(process, out / "sheets" / "step-00000025.png")  # drawn right before the evaluation
    time.sleep(0.2)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, stderr
    assert f"stopped by {number.name} after step 25 of 60" in stderr
    assert (out / "checkpoints" / "step-00000025.json").exists()
    assert not any("evaluation" in line for line in metrics(out))
    train(ToyJob(ToyConfig(cadence=Cadence(log_every=7, evaluate_every=25))), out, resume=True)
    assert metrics(out) == metrics(straight)
    assert weights(out) == weights(straight)


def test_a_wrong_key_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    process = start(tmp_path / "new", "--set", "learning_rat=1")
    _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert stderr.startswith("error: --set learning_rat=1: unknown key 'learning_rat'; did you mean 'learning_rate'?")
    assert stderr.count("\n") == 1
    assert not (tmp_path / "new").exists()
