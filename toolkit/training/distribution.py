"""Several processes that train one thing: started by torchrun, each with its share of the batch.

    torchrun --nproc-per-node 2 -m toolkit.cli.main train psp --device cuda --out runs/psp

All processes hold the same weights. Each takes its own rows of a step's batch, gradients are averaged before the
optimiser's step (`overlapping`: while the backward pass runs), and only the first process writes. In a single process
everything here does nothing.

Batch statistics of normalisation layers are each process's own (as without synchronised batch norm): with frozen
statistics, N processes with B images equal one process with N * B; otherwise they do not, and the running statistics
that are saved are the first process's.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import Module, Parameter

from toolkit.errors import InputError, TrainingError
from toolkit.training.joining import join, leave, let_go
from toolkit.training.packing import pack, unpack

_assumed: tuple[int, int] | None = None
_before_leaving: list[Callable[[], None]] = []


def before_leaving(forget: Callable[[], None]) -> Callable[[], None]:
    """Have a function called before this process leaves the group; a decorator."""
    _before_leaving.append(forget)
    return forget


def rank_and_world() -> tuple[int, int]:
    """This process's number, from 0, and how many train together: (0, 1) in a single process."""
    if joined():
        return dist.get_rank(), dist.get_world_size()
    return (0, 1) if _assumed is None else _assumed


def assume_place(rank: int, world: int) -> None:
    """Make `rank_and_world` answer so in a process that only makes batches for one that trains."""
    global _assumed
    _assumed = (rank, world)


def main_process() -> bool:
    """Whether this process is the one that writes files, logs and pictures."""
    return rank_and_world()[0] == 0


def own_rows(batch: int) -> slice:
    """This process's rows of a step's whole batch, which has `batch` rows for every process."""
    rank, _ = rank_and_world()
    return slice(rank * batch, (rank + 1) * batch)


def row_numbers(*blocks: int) -> list[int]:
    """Numbers of this process's rows in a step's whole batch.

    Args:
        blocks: Sizes of the blocks of this process's batch (photos, pairs); in the whole batch the first blocks of
            all processes come first, then the second ones.
    """
    rank, world = rank_and_world()
    numbers: list[int] = []
    before = 0
    for rows in blocks:
        numbers += range(before + rank * rows, before + (rank + 1) * rows)
        before += world * rows
    return numbers


@contextlib.contextmanager
def process_group(device: str) -> Iterator[str]:
    """Join the processes that torchrun started, for the time of the block; alone, do nothing.

    Args:
        device: cpu (gloo) or cuda (nccl, each process the device of its local number).

    Yields:
        This process's device.

    Raises:
        InputError: A numbered device was asked for, so that all processes would share it, or there are fewer GPUs than
            processes.
        TrainingError: The other processes did not come.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) <= 1 or joined():
        yield device
        return
    if device.startswith("cuda:"):
        raise InputError(f"several processes cannot share {device}; ask for --device cuda")
    if device == "cuda":
        device = _own_gpu()
    with peers_watched():
        store = join("cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo")
    well = False
    try:
        yield device
        well = True
    finally:
        for let_go_of_group in _before_leaving:
            let_go_of_group()
        leave(store, well=well)


def _own_gpu() -> str:
    """The GPU with this process's local number, which is the one that 'cuda' means here from now on.

    Raises:
        InputError: This machine has fewer GPUs than processes (all of them say so).
    """
    number = int(os.environ.get("LOCAL_RANK", "0"))
    wanted, count = max(number + 1, int(os.environ.get("LOCAL_WORLD_SIZE", "1"))), torch.cuda.device_count()
    if wanted > count:
        raise InputError(
            f"{wanted} processes want a GPU each, and torch sees {count}: start fewer, or ask for --device cpu"
        )
    torch.cuda.set_device(number)
    return f"cuda:{number}"


@contextlib.contextmanager
def main_process_first() -> Iterator[None]:
    """Let the first process of each machine go through the block, then the others: one makes a cache that all read."""
    first = int(os.environ.get("LOCAL_RANK", "0")) == 0
    if not first:
        wait_for_all()
    yield
    if first:
        wait_for_all()


def wait_for_all() -> None:
    """Return when all processes have come here."""
    if joined():
        with peers_watched():
            dist.barrier()


def average_gradients(parameters: Iterable[Parameter]) -> None:
    """Replace every gradient by its mean over all processes, in one flat all-reduce; alone, do nothing.

    A gradient that is None counts as zero, and stays None only where it is None in all processes.

    Args:
        parameters: The same in every process, in the same order, all on one device.

    Raises:
        TrainingError: Another process has ended.
    """
    if not joined():
        return
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    if not trained:
        return
    device = trained[0].device
    there = torch.tensor([float(parameter.grad is not None) for parameter in trained], device=device)
    parts = [torch.zeros_like(one) if one.grad is None else one.grad for one in trained]
    flat = torch.cat([part.detach().reshape(-1).float() for part in parts] + [there])
    with peers_watched():
        dist.all_reduce(flat)
    *means, there = flat.split([part.numel() for part in parts] + [len(trained)])
    for parameter, mean, count in zip(trained, means, there.tolist(), strict=True):
        if count:
            mean = (mean / dist.get_world_size()).reshape(parameter.shape).to(parameter.dtype)
            parameter.grad = mean


def average_numbers(values: Mapping[str, float]) -> dict[str, float]:
    """The mean of each number over all processes, which must give the same names in the same order."""
    if not joined() or not values:
        return dict(values)
    numbers = torch.tensor(list(values.values()), dtype=torch.float64)
    with peers_watched():
        dist.all_reduce(numbers)
    return dict(zip(values, (numbers / dist.get_world_size()).tolist(), strict=True))


def largest(values: Iterable[float]) -> list[float]:
    """The largest of each number over all processes: so they agree on when to stop and to save."""
    if not joined():
        return [float(value) for value in values]
    numbers = torch.tensor([float(value) for value in values], dtype=torch.float64)
    with peers_watched():
        dist.all_reduce(numbers, op=dist.ReduceOp.MAX)
    return numbers.tolist()


def broadcast_weights(modules: Iterable[Module]) -> None:
    """Give all processes the first one's parameters and buffers."""
    if joined():
        with torch.no_grad(), peers_watched():
            for module in modules:
                for tensor in (*module.parameters(), *module.buffers()):
                    dist.broadcast(tensor.data, src=0)


def broadcast_state(state: Any) -> Any:
    """Give all processes the first one's nested state (as `packing.pack` takes it); no disk need be shared.

    Args:
        state: The first process's; the others' is ignored.

    Returns:
        The first process's own object there, an equal one elsewhere.
    """
    if not joined():
        return state
    tensors: dict[str, Tensor] = {}
    about = b""
    if main_process():
        description, tensors = pack(state)
        shapes = {key: [str(tensor.dtype).removeprefix("torch."), *tensor.shape] for key, tensor in tensors.items()}
        about = json.dumps([description, shapes]).encode()
    with peers_watched():
        length = torch.tensor([len(about)])
        dist.broadcast(length, src=0)
        text = torch.frombuffer(bytearray(about), dtype=torch.uint8) if about else _bytes(int(length))
        dist.broadcast(text, src=0)
        description, shapes = json.loads(bytes(text.tolist()))
        for key, (kind, *shape) in shapes.items():
            if not main_process():
                tensors[key] = torch.empty(shape, dtype=getattr(torch, kind))
            if tensors[key].numel():
                dist.broadcast(tensors[key], src=0)
    return state if main_process() else unpack(description, tensors)


def gathered(tensor: Tensor) -> list[Tensor]:
    """The tensors of all processes, by rank; shapes and types must agree."""
    if not joined():
        return [tensor]
    parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
    with peers_watched():
        dist.all_gather(parts, tensor)
    return parts


def gathered_rows(tensor: Tensor, *blocks: int) -> Tensor:
    """The whole batch [world * B, ...] of which each process has rows [B, ...], in the order of their `row_numbers`."""
    parts = [part.split(blocks) for part in gathered(tensor.contiguous())]
    return torch.cat([part for column in zip(*parts, strict=True) for part in column])


def gathered_text(text: str) -> list[str]:
    """The texts of all processes, by rank; all have to come here."""
    if not joined():
        return [text]
    data = text.encode()
    length = int(largest([len(data)])[0])
    found = gathered(torch.frombuffer(bytearray(data.ljust(length, b" ") or b" "), dtype=torch.uint8))
    return [bytes(part.tolist()).decode().strip() for part in found]


def joined() -> bool:
    """Whether this process trains together with others."""
    return dist.is_available() and dist.is_initialized()


def _bytes(length: int) -> Tensor:
    return torch.empty(length, dtype=torch.uint8)


@contextlib.contextmanager
def peers_watched(*, computing: bool = False) -> Iterator[None]:
    """Say of an error in the block that another process has ended.

    Args:
        computing: Whether the block computes, too, so that an error may be its own; it is passed on as it is.

    Raises:
        TrainingError: Another process has ended.
    """
    try:
        yield
    except RuntimeError as error:  # gloo and nccl raise it, or a kind of it, when a connection breaks
        if computing and not _of_the_group(error):
            raise
        let_go(error)
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise TrainingError(
            f"another process of this training has ended or cannot be reached ({reason}); "
            "what was saved is kept, start all again with --resume"
        ) from error


def _of_the_group(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or any(name in str(error) for name in ("gloo", "NCCL", "Connection "))
