"""As a program in each of two processes: leaves the group in a good or a bad way, and prints its threads that stay."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import torch

from toolkit.errors import TrainingError
from toolkit.training.distribution import main_process, process_group, wait_for_all


def group_threads() -> list[str]:
    """Names of the threads that gloo runs in this process (Linux only)."""
    names = [task.joinpath("comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    return [name for name in names if "gloo" in name]


def done(out: Path) -> None:
    """An optimiser was made, which imports much of torch; the second process is done a second later."""
    with process_group("cpu"):
        torch.optim.Adam([torch.nn.Parameter(torch.ones(1))])
        wait_for_all()
        assert group_threads()
        if not main_process():
            time.sleep(1)
            (out / "late").touch()
    assert (out / "late").exists()
    print(*group_threads())


def peer_dead() -> None:
    """The other process has died, and the error is still looked at."""
    try:
        with process_group("cpu"):
            wait_for_all()
            if not main_process():
                os._exit(0)
            wait_for_all()
    except TrainingError:
        print(*group_threads())
    else:
        raise AssertionError("nobody missed the other process")


if __name__ == "__main__":
    torch.set_num_threads(1)
    done(Path(sys.argv[2])) if sys.argv[1] == "done" else peer_dead()
