"""The state of torch's global random generators, as tensors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from toolkit.training.distribution import gathered, rank_and_world


def random_state() -> dict[str, Tensor]:
    """State of the CPU generator and, once CUDA is in use, of each device's (uint8 vectors)."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states |= {f"cuda:{index}": state for index, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def random_states() -> list[dict[str, Tensor]]:
    """The states of all processes that train together, by rank: each its CPU generator's and its own device's."""
    if rank_and_world()[1] == 1:
        return [random_state()]
    own = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        own["cuda"] = torch.cuda.get_rng_state()
    columns = [gathered(state) for state in own.values()]
    return [dict(zip(own, states, strict=True)) for states in zip(*columns, strict=True)]


def restore_random_state(states: Mapping[str, Tensor]) -> None:
    """Put the generators back to such a state; devices that are not there are passed over."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
    for index in range(torch.cuda.device_count()):
        if f"cuda:{index}" in states:
            torch.cuda.set_rng_state(states[f"cuda:{index}"], index)


@contextlib.contextmanager
def preserved_random_state() -> Iterator[None]:
    """Leave the generators after the block as they were before it."""
    before = random_state()
    try:
        yield
    finally:
        restore_random_state(before)
