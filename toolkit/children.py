"""Worker processes: they leave Ctrl-C to the process that started them, and end when it ends, however it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait


def begin_worker(threads: int | None = None) -> None:
    """Prepare a spawned process; the initializer of a pool.

    Args:
        threads: CPU threads that torch may use; None: its own choice.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches a whole process group; the first process decides
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def _end_with(sentinel: int) -> None:
    """Without this a worker waits for its next task for ever when its parent was killed."""
    wait([sentinel])
    os._exit(1)
