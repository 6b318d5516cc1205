"""Devices by name, checked before anything expensive begins."""

from __future__ import annotations

import torch

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
