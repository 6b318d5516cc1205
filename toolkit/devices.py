"""Devices by name, checked before anything expensive begins, and what must keep all its bits on any of them."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from toolkit.errors import InputError

AUTO = "auto"
"""The device that `checked_device` chooses itself."""


def checked_device(name: str) -> str:
    """Return a device's name if this machine has it; 'auto' is CUDA where there is one, else MPS, else the CPU.

    Raises:
        InputError: torch does not know or cannot reach the device.
    """
    if name == AUTO:
        name = best_device()
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0] if str(error) else "not available"
        raise InputError(f"device {name!r} cannot be used here: {reason}") from error
    return name


def best_device() -> str:
    """'cuda', else 'mps', else 'cpu': the first that this machine has."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def wait_for(device: torch.device | str) -> None:
    """Return when the device has done everything that it was asked: what a stopwatch needs; nothing on the CPU."""
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.synchronize(device)
    elif kind == "mps":
        torch.mps.synchronize()


def seconds_on(device: torch.device | str) -> float:
    """What a stopwatch shows once the device has done everything that it was asked."""
    wait_for(device)
    return time.perf_counter()


def sent(tensor: Tensor, device: torch.device | str) -> Tensor:
    """A tensor on a device; from the CPU to a GPU without waiting (the driver has copied it when the call returns)."""
    device = torch.device(device)
    return tensor.to(device, non_blocking=device.type == "cuda" and tensor.device.type == "cpu")


def constant(values: Sequence[float], like: Tensor) -> Tensor:
    """Numbers [N] in a tensor's type on its device, made there: a copy from the CPU would be waited for."""
    return torch.stack([like.new_full((), float(value)) for value in values])


def moved_to(network: Any, device: torch.device) -> Any:
    """A network, on a device; whatever is no `Module` is left as it is, and moves itself."""
    if isinstance(network, Module):
        there = next(itertools.chain(network.parameters(), network.buffers()), None)
        if there is not None and there.device != device:
            network.to(device)
    return network


def without_autocast(like: Tensor) -> contextlib.AbstractContextManager[object]:
    """Autocast off on a tensor's device: for geometry, and for long sums. Shapes alone ('meta') know of none."""
    return contextlib.nullcontext() if like.is_meta else torch.autocast(like.device.type, enabled=False)
