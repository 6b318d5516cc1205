"""As a program in each of several processes: fits a small network by hand and saves what came out."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from toolkit.training.distribution import (
    average_gradients,
    average_numbers,
    broadcast_state,
    broadcast_weights,
    gathered,
    gathered_rows,
    largest,
    main_process,
    main_process_first,
    own_rows,
    process_group,
    rank_and_world,
    row_numbers,
)
from toolkit.training.overlapping import OverlappingGradients

BATCH, STEPS = 2, 4


def fit_overlapping(whole_batch: int) -> tuple[nn.Module, dict[str, Tensor]]:
    """As `fit`, averaged while backward passes run, in two parts of each process's rows.

    The network's second layer learns from the third step on, and its fourth is used by the first process alone, where
    there are several: averages count it as zero elsewhere.
    """
    rank, world = rank_and_world()
    torch.manual_seed(0)
    network = nn.ModuleDict({name: nn.Linear(3, 3) for name in ("first", "second", "third", "fourth", "unused")})
    network["second"].requires_grad_(False)
    optimiser = torch.optim.SGD(network.parameters(), 1e-2)
    gradients, found = OverlappingGradients(optimiser), {}
    for step in range(STEPS):
        network["second"].requires_grad_(step >= 2)
        images = torch.randn(whole_batch, 3, generator=torch.Generator().manual_seed(step))
        goals = images.flip(1)

        def loss(rows: Tensor, images: Tensor = images, goals: Tensor = goals) -> Tensor:
            out = network["second"](network["first"](images[rows]).tanh())
            out = out + network["third"](out).tanh() + network["third"](out.tanh())
            return (out - goals[rows]).square().mean() / 2

        def loss_of_the_first(rows: Tensor, images: Tensor = images) -> Tensor:
            whole = loss(rows)
            return whole + world * network["fourth"](images[:1]).sum() if rank == 0 and world > 1 else whole

        for number, rows in enumerate(torch.arange(whole_batch)[own_rows(whole_batch // world)].chunk(2)):
            last = number == 1
            gradients.backward(functools.partial(loss_of_the_first if last else loss, rows), last=last)
            if world > 1 and not last:
                local = gathered(network["first"].weight.grad)
                assert not torch.equal(*local), "nothing is sent before the last part"
        if world == 1:
            network["fourth"](images[:1]).sum().backward()
        found |= {f"{step}/{name}": p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    assert all(parameter.grad is None for parameter in network["unused"].parameters())
    return network, found


def fit(whole_batch: int) -> tuple[nn.Module, dict[str, Tensor]]:
    """Take some steps on this process's rows; the network's statistics are frozen."""
    rank, _ = rank_and_world()
    torch.manual_seed(rank)  # weights differ until they are broadcast
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.PReLU(), nn.Flatten(), nn.Linear(144, 2))
    network.eval()
    network.append(nn.Linear(2, 2))  # one that nobody uses
    broadcast_weights([network])
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    rows = own_rows(whole_batch // rank_and_world()[1])
    gradients: dict[str, Tensor] = {}
    for step in range(STEPS):
        source = torch.Generator().manual_seed(step)
        images = torch.randn(whole_batch, 3, 8, 8, generator=source)
        goals = torch.randn(whole_batch, 2, generator=source)
        optimiser.zero_grad()
        (network[:-1](images[rows]) - goals[rows]).square().mean().backward()
        average_gradients(network.parameters())
        gradients |= {f"{step}/{name}": p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}
        optimiser.step()
    return network, gradients


WAYS = {"afterwards": fit, "overlapping": fit_overlapping}


def main() -> None:
    out = Path(sys.argv[1])
    torch.set_num_threads(1)
    with process_group("cpu"):
        rank, world = rank_and_world()
        assert main_process() == (rank == 0)
        with main_process_first():
            marker = out / "cache"
            made = not marker.exists()
            marker.touch()
        assert made == (rank == 0)
        assert largest([rank, -rank]) == [world - 1, 0]
        assert average_numbers({"a": rank}) == {"a": (world - 1) / 2}
        assert [int(part) for part in gathered(torch.tensor(rank))] == list(range(world))
        mine = torch.tensor(row_numbers(2, 1))
        assert gathered_rows(mine, 2, 1).tolist() == list(range(3 * world))
        state = broadcast_state({"a": [torch.arange(3), 1.5], "empty": torch.zeros(0), 4: None} if rank == 0 else None)
        assert state["a"][0].tolist() == [0, 1, 2] and state["a"][1] == 1.5 and state["empty"].shape == (0,)
        tensors: dict[str, Tensor] = {}
        for way in WAYS:
            network, gradients = WAYS[way](BATCH * world)
            tensors |= {f"{way}/weights/{name}": value for name, value in network.state_dict().items()}
            tensors |= {f"{way}/gradients/{name}": value for name, value in gradients.items()}
        save_file(tensors, out / f"{rank}")


if __name__ == "__main__":
    main()
