"""How many CPU cores this process may use, and how its threads wait for each other."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Cores that this process may run on, at least 1; those of the machine where the system does not say.

    Fewer than the machine's under `taskset`, a scheduler or a container that pins its processes.
    """
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS pins no processes
        return os.cpu_count() or 1


def wait_asleep() -> None:
    """Let torch's threads sleep while they wait for each other, unless the environment says how they wait.

    It acts where torch is imported later. Threads that wait busily burn whole cores on a machine that also does
    something else: beside a job on one of two cores, two threads are then slower than one.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
