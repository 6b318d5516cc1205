"""Devices by name, checked before anything expensive begins, and what must keep all its bits on any of them."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor

from toolkit.errors import InputError


def checked_device(name: str) -> str:
    """Return a device's name if this machine has it.

    Raises:
        InputError: torch does not know or cannot reach the device.
    """
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0] if str(error) else "not available"
        raise InputError(f"device {name!r} cannot be used here: {reason}") from error
    return name


def without_autocast(like: Tensor) -> contextlib.AbstractContextManager[object]:
    """Autocast off on a tensor's device: for geometry, and for long sums. Shapes alone ('meta') know of none."""
    return contextlib.nullcontext() if like.is_meta else torch.autocast(like.device.type, enabled=False)
