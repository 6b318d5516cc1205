"""`toolkit train` in two real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from ranks import ROOT, finish, start_ranks
from safetensors.torch import load_file
from toy_training import ToyConfig, ToyJob, metrics, weights

from toolkit.training import train

PROGRAM = str(Path(__file__).with_name("toy_training.py"))
HALVES = ("--set", "batch=16", "--set", "dropout=0.0")


def start(out: Path, *options: str) -> list[subprocess.Popen[str]]:
    return start_ranks(2, PROGRAM, "toy", "--threads", "1", "--out", str(out), *options)


def wait_for(processes: list[subprocess.Popen[str]], out: Path, files: str = "checkpoints/step-*.json") -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and all(process.poll() is None for process in processes):
        if list(out.glob(files)):
            return
        time.sleep(0.01)
    raise AssertionError(f"no {files}: {finish(processes)}")


def left_unfinished(out: Path) -> list[Path]:
    return [path for path in out.rglob("*") if path.name.startswith(".")]


def test_two_processes_learn_what_one_learns_from_the_doubled_batch(tmp_path: Path) -> None:
    first, second = finish(start(tmp_path / "two", *HALVES), seconds=300)
    assert first[0] == second[0] == 0, first[2] + second[2]
    assert first[1].strip() == str(tmp_path / "two" / "weights.safetensors") and second[1] == ""
    assert json.loads((tmp_path / "two" / "run.json").read_text())["sessions"][0]["processes"] == 2
    train(ToyJob(ToyConfig(batch=32, dropout=0.0)), tmp_path / "one")
    expected = load_file(tmp_path / "one" / "weights.safetensors")
    for name, value in load_file(tmp_path / "two" / "weights.safetensors").items():
        torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=1e-4)
    for line, other in zip(metrics(tmp_path / "two"), metrics(tmp_path / "one"), strict=True):
        assert line["step"] == other["step"]
        if "losses" in line:
            assert line["losses"] == pytest.approx(other["losses"], rel=1e-3)


def test_the_death_of_one_process_ends_the_other_with_a_sentence_and_nothing_half_written(tmp_path: Path) -> None:
    out = tmp_path / "run"
    processes = start(out, "--set", "pause=0.05")
    wait_for(processes, out)
    processes[1].kill()
    (code, _, stderr), (killed, _, _) = finish(processes, seconds=300)
    assert killed == -signal.SIGKILL and code == 2
    last = stderr.strip().splitlines()[-1]
    assert last.startswith("error: another process of this training has ended") and "--resume" in last
    assert not left_unfinished(out) and not (out / "weights.safetensors").exists()


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes that was never stopped."""
    out = tmp_path_factory.mktemp("straight") / "run"
    assert [code for code, _, _ in finish(start(out), seconds=300)] == [0, 0]
    return out


@pytest.mark.slow
def test_a_signal_to_one_process_stops_both_at_one_step_and_resuming_changes_nothing(
    tmp_path: Path, straight: Path
) -> None:
    out = tmp_path / "run"
    processes = start(out, "--set", "pause=0.05")
    wait_for(processes, out)
    processes[1].send_signal(signal.SIGTERM)
    assert [code for code, _, _ in finish(processes, seconds=300)] == [143, 143]
    assert [code for code, _, _ in finish(start(out, "--resume"), seconds=300)] == [0, 0]
    assert 10 <= json.loads((out / "run.json").read_text())["sessions"][1]["from_step"] < 60
    assert metrics(out) == metrics(straight)
    assert weights(out) == weights(straight)  # each process went on with its own rng: dropout is on


@pytest.mark.slow
def test_a_signal_in_an_evaluation_stops_both_which_score_again_when_they_go_on(tmp_path: Path, straight: Path) -> None:
    out = tmp_path / "run"
    processes = start(out, "--set", "evaluation_seconds=3000", "--set", "cadence.sheet_every=25")
    wait_for(processes, out, "sheets/step-00000025.png")  # drawn right before the evaluation
    time.sleep(0.2)
    processes[0].send_signal(signal.SIGTERM)
    assert [code for code, _, _ in finish(processes, seconds=300)] == [143, 143]
    assert [code for code, _, _ in finish(start(out, "--resume"), seconds=300)] == [0, 0]
    assert json.loads((out / "run.json").read_text())["sessions"][1]["from_step"] == 25
    assert metrics(out) == metrics(straight)
    assert weights(out) == weights(straight)


@pytest.mark.slow
def test_torchrun_starts_it(tmp_path: Path) -> None:
    # standalone: with --master-port 0 torchrun listens somewhere and tells the processes to go to port 0
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", PROGRAM,
               "toy", "--threads", "1", "--out", str(tmp_path / "run"), *HALVES]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == str(tmp_path / "run" / "weights.safetensors")
