"""Worker processes that die: of their own, and by another's hand, at the worst moment."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from toolkit.bench.execution.workers import ATTEMPTS, NUMBER, Workers

DEEDS = """
import os, signal

def squared(number):
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number * number

def number(others, mine):
    import time

    (others / str(mine)).touch()
    while len(list(others.iterdir())) < 2:
        time.sleep(0.01)
    return mine

def dies_until(times, tries):
    with tries.open("a") as file:
        file.write(".")
    if tries.stat().st_size <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return tries.stat().st_size
"""


@pytest.fixture
def deeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module that a spawned process can import, too."""
    (tmp_path / "deeds_of_workers.py").write_text(DEEDS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "deeds_of_workers", raising=False)
    return importlib.import_module("deeds_of_workers")


@pytest.fixture
def workers() -> Iterator[Workers[str, int]]:
    with Workers[str, int]() as made:
        yield made


def test_results_and_errors_come_back_with_their_tasks(workers: Workers[str, int], deeds: Any):
    workers.begin("three", deeds.squared, 3)
    workers.begin("minus one", deeds.squared, -1)
    found = dict(workers.finished() for _ in range(2))
    assert (found["three"], workers.busy) == (9, 0)
    assert isinstance(found["minus one"], ValueError) and "-1 is negative" in str(found["minus one"])


def test_workers_are_numbered_and_a_replacement_has_the_number_of_the_dead(
    workers: Workers[str, int], deeds: Any, tmp_path: Path
):
    others = tmp_path / "others"
    others.mkdir()
    workers.begin("a", deeds.number, others, NUMBER)
    workers.begin("b", deeds.number, others, NUMBER)
    assert sorted(result for _, result in (workers.finished() for _ in range(2)) if isinstance(result, int)) == [0, 1]
    workers.begin("dies", deeds.dies_until, 1, tmp_path / "tries")
    assert workers.finished() == ("dies", 2)
    again = [workers.begin(name, deeds.number, others, NUMBER) or workers.finished()[1] for name in "cd"]
    assert set(again) <= {0, 1}


def test_a_task_whose_worker_dies_is_done_again_and_no_other_is_disturbed(
    workers: Workers[str, int], deeds: Any, tmp_path: Path
):
    workers.begin("dies", deeds.dies_until, ATTEMPTS - 1, tmp_path / "dies")
    workers.begin("lives", deeds.dies_until, 0, tmp_path / "lives")
    assert dict(workers.finished() for _ in range(2)) == {"dies": ATTEMPTS, "lives": 1}


def test_a_task_that_kills_every_worker_has_failed_and_the_next_one_is_well(
    workers: Workers[str, int], deeds: Any, tmp_path: Path
):
    workers.begin("deadly", deeds.dies_until, 99, tmp_path / "tries")
    task, outcome = workers.finished()
    assert task == "deadly" and isinstance(outcome, BrokenProcessPool)
    assert (tmp_path / "tries").stat().st_size == ATTEMPTS
    workers.begin("next", deeds.squared, 2)
    assert workers.finished() == ("next", 4)


def test_a_process_is_used_again_and_replaced_if_it_died_with_nothing_to_do(workers: Workers[str, int]):
    pids = []
    for _ in range(2):
        workers.begin("pid", os.getpid)
        pids.append(workers.finished()[1])
    assert pids[0] == pids[1]
    assert isinstance(pids[0], int)
    os.kill(pids[0], signal.SIGKILL)
    workers.begin("pid", os.getpid)
    assert workers.finished()[1] not in (pids[0], None)


@pytest.mark.parametrize("moment", [0.0, 0.01, 0.05])
def test_a_worker_killed_while_another_one_starts_costs_no_task(workers: Workers[str, int], deeds: Any, moment: float):
    """In a pool that they share this waits for ever, at some of these moments."""
    killed = threading.Event()

    def kill_the_first() -> None:
        while not (found := children()):
            time.sleep(0.001)
        time.sleep(moment)
        os.kill(found[0], signal.SIGKILL)
        killed.set()

    def children() -> list[int]:
        lines = [file.read_text() for file in Path(f"/proc/{os.getpid()}/task").glob("*/children")]
        pids = [int(pid) for line in lines for pid in line.split()]
        return [pid for pid in pids if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]

    killer = threading.Thread(target=kill_the_first, daemon=True)
    killer.start()
    for number in range(3):
        workers.begin(str(number), deeds.squared, number)
    assert dict(workers.finished() for _ in range(3)) == {"0": 0, "1": 1, "2": 4}
    assert killed.wait(5)
