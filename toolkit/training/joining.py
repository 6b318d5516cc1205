"""Joining the processes of a training, and leaving them so that nothing of the group outlives it.

The group's threads drop tensors, for which they need Python's lock; one that still waits for it when the interpreter
ends is ended by force, and takes the process with it (SIGABRT: "terminate called without an active exception"). Threads
end with the group, and the group when nothing refers to it any more: hence the import and `let_go`.
"""

from __future__ import annotations

import contextlib
import time
import traceback
from datetime import timedelta
from importlib import import_module

import torch.distributed as dist

PATIENCE = timedelta(hours=2)
"""How long processes wait for each other: the others stand still while the first one evaluates or exports."""
ARRIVAL = timedelta(minutes=15)
"""How long the processes have for coming together."""
FAREWELL = 10.0
"""Most seconds that the first process, which may keep the others' store, stays for them when it is done."""
_LEFT = "toolkit/left"


def join(backend: str) -> dist.Store:
    """Join the group that torchrun's environment describes.

    Args:
        backend: As `init_process_group` takes it.

    Returns:
        What `leave` wants.

    Raises:
        RuntimeError: The others did not come.
    """
    import_module("torch.distributed.nn.functional")  # optimisers do later, and its defaults keep the group there is

    store, rank, world = next(dist.rendezvous("env://", timeout=ARRIVAL))
    store.set_timeout(PATIENCE)
    dist.init_process_group(
        backend, store=dist.PrefixStore("default_pg", store), rank=rank, world_size=world, timeout=PATIENCE
    )
    return store


def leave(store: dist.Store, *, well: bool) -> None:
    """Leave the group; the first process goes last where all is well, since its end is the store's.

    Args:
        store: What `join` returned.
        well: Whether this process is done; after an error it waits for no other process.
    """
    rank, world = dist.get_rank(), dist.get_world_size()
    dist.destroy_process_group()
    store.set_timeout(timedelta(seconds=FAREWELL))
    with contextlib.suppress(RuntimeError):  # the store is gone already, and with it the reason to stay
        if rank > 0:
            store.add(_LEFT, 1)
            return
        until = time.monotonic() + FAREWELL
        while well and store.add(_LEFT, 0) < world - 1 and time.monotonic() < until:
            time.sleep(0.02)


def let_go(error: BaseException) -> None:
    """Clear the finished calls in an error's traceback, which refer to the group for as long as the error lives."""
    traceback.clear_frames(error.__traceback__)
