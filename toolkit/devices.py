"""Devices by name, checked before anything expensive begins; and what must be computed in full precision on them."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import time
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn import Module

from toolkit.errors import InputError

Arithmetic = Literal["tf32", "cudnn-benchmark", "half-superresolution", "fused-rendering"]
ARITHMETIC: tuple[Arithmetic, ...] = get_args(Arithmetic)
"""Faster and less exact ways to compute, all off unless they are chosen. TF32 rounds the factors of products and
convolutions to 10 bits on NVIDIA GPUs. cuDNN's benchmark takes the algorithm that was fastest at first, so that last
digits of two runs may differ. Super-resolution is in 16 bit where no gradients are recorded. Fused rendering marches
through tri-grids on NVIDIA GPUs in kernels of our own (`toolkit.rendering.fused`): last digits differ."""
AUTO = "auto"
"""The device that `checked_device` chooses itself."""
_chosen: tuple[Arithmetic, ...] = ()


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


def worker_device(name: str, worker: int) -> str:
    """On which device worker `worker` (from 0) of this machine computes: of several GPUs, 'cuda' means each in turn.

    With a device such as 'cuda:1', all workers use that device.
    """
    if name == AUTO:
        name = best_device()
    count = torch.cuda.device_count() if name == "cuda" else 0
    return f"cuda:{worker % count}" if count > 1 else name


def use_device(name: str) -> None:
    """Make a numbered GPU the one that 'cuda' means in this process; nothing for other devices."""
    device = torch.device("cpu" if name == AUTO else name)
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)


def best_device() -> str:
    """'cuda', else 'mps', else 'cpu': the first that this machine has."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def choose_arithmetic(names: Iterable[str]) -> tuple[Arithmetic, ...]:
    """Switch on some of `ARITHMETIC` in this process, and all others off.

    Returns:
        What was chosen, in the order of `ARITHMETIC`.

    Raises:
        InputError: One is unknown, or its package is missing.
    """
    global _chosen
    wanted = {name.strip() for name in names if name.strip()}
    for name in sorted(wanted - set(ARITHMETIC)):
        raise InputError(f"unknown arithmetic {name!r}; available: {', '.join(ARITHMETIC)}")
    if "fused-rendering" in wanted and importlib.util.find_spec("triton") is None:
        raise InputError("fused-rendering needs the package triton, which is not installed here")
    _chosen = tuple(name for name in ARITHMETIC if name in wanted)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = "tf32" in _chosen
    torch.backends.cudnn.benchmark = "cudnn-benchmark" in _chosen
    return _chosen


def chosen_arithmetic() -> tuple[Arithmetic, ...]:
    """What `choose_arithmetic` was last told in this process."""
    return _chosen


def arithmetic_in_use() -> list[str]:
    """What is switched on in this process, by torch's own switches. Results record it, whoever set them."""
    matmul, convolutions = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    found = {
        "tf32": matmul and convolutions,
        "tf32 in products only": matmul and not convolutions,
        "tf32 in convolutions only": convolutions and not matmul,
        "cudnn-benchmark": torch.backends.cudnn.benchmark,
        "half-superresolution": "half-superresolution" in _chosen,
        "fused-rendering": "fused-rendering" in _chosen,
    }
    return [name for name, used in found.items() if used]


def told_arithmetic() -> list[str]:
    """What records say: what is in use where there is a GPU, whose switches torch has; else what was chosen."""
    return arithmetic_in_use() if torch.cuda.is_available() else list(chosen_arithmetic())


def superresolution_precision(like: Tensor) -> contextlib.AbstractContextManager[object]:
    """The context of super-resolution: 16 bit where that was chosen and no gradients are recorded."""
    if "half-superresolution" not in _chosen or torch.is_grad_enabled() or like.is_meta:
        return contextlib.nullcontext()
    return torch.autocast(like.device.type, dtype=torch.float16)


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
