"""How many CPU cores this process may use."""

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
