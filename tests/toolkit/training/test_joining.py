"""Two processes joined by gloo, and how they part."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
import torch.distributed as dist
from ranks import finish, start_ranks

from toolkit.errors import TrainingError
from toolkit.training import joining
from toolkit.training.distribution import process_group

PROGRAM = str(Path(__file__).with_name("leaving.py"))


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
@pytest.mark.parametrize("how", ["done", "peer dead"])
def test_no_thread_of_the_group_outlives_it_and_the_first_process_goes_last(how: str, tmp_path: Path) -> None:
    for code, stdout, stderr in finish(start_ranks(2, PROGRAM, how, str(tmp_path))):
        assert code == 0, stderr
        assert not stdout.strip()


@pytest.mark.parametrize(("well", "seconds"), [(True, 0.2), (False, 0.0)])
def test_a_process_that_never_says_goodbye_is_not_waited_for_long(
    well: bool, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "FAREWELL", 0.2)
    for name, value in {"get_rank": 0, "get_world_size": 2, "destroy_process_group": None}.items():
        monkeypatch.setattr(dist, name, lambda value=value: value)
    began = time.monotonic()
    joining.leave(dist.HashStore(), well=well)
    assert seconds <= time.monotonic() - began < seconds + 10


def test_processes_that_do_not_come_are_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "ARRIVAL", timedelta(seconds=1))
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match="cannot be reached"), process_group("cpu"):
        pass
