"""The state of torch's global random generators, as tensors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor


def random_state() -> dict[str, Tensor]:
    """State of the CPU generator and, once CUDA is in use, of each device's (uint8 vectors)."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states |= {f"cuda:{index}": state for index, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def restore_random_state(states: Mapping[str, Tensor]) -> None:
    """Put the generators back to a state of `random_state`; devices that are not there are passed over."""
    torch.set_rng_state(states["cpu"])
    for index in range(torch.cuda.device_count()):
        if f"cuda:{index}" in states:
            torch.cuda.set_rng_state(states[f"cuda:{index}"], index)


@contextlib.contextmanager
def undisturbed_randomness() -> Iterator[None]:
    """Leave the generators after the block as they were before it."""
    before = random_state()
    try:
        yield
    finally:
        restore_random_state(before)
