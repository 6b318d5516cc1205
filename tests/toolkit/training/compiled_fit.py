"""As a program in each of several processes: fits a compiled network and saves what came out."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from toolkit.training import EngineSettings, Stepper
from toolkit.training.distribution import own_rows, process_group, rank_and_world

BATCH, STEPS = 2, 3


def network_of_blocks() -> nn.Sequential:
    """Two blocks that could be checkpointed, and a head; the same weights each time."""
    torch.manual_seed(0)
    blocks = [nn.Sequential(nn.Conv2d(3 if first else 4, 4, 3), nn.PReLU()) for first in (True, False)]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(64, 2))


def fit(whole_batch: int, *, compiled: bool = True, checkpointed: bool = False) -> dict[str, Tensor]:
    """Weights after some steps on this process's rows, in two parts; the head does not learn in the first step."""
    _, world = rank_and_world()
    network = network_of_blocks()
    stepper = Stepper(EngineSettings(compile=compiled, checkpoint_activations=checkpointed, accumulate=2))
    stepper.prepare(network, blocks=[block for block in network if isinstance(block, nn.Sequential)])
    optimiser = torch.optim.SGD(network.parameters(), 1e-2)
    for step in range(STEPS):
        network[-1].requires_grad_(step > 0)
        source = torch.Generator().manual_seed(step)
        images = torch.randn(whole_batch, 3, 8, 8, generator=source)[own_rows(whole_batch // world)]
        stepper.backward(lambda rows: {"l2": network(rows).square().mean()}, images, optimiser)
        stepper.update(optimiser)
    return dict(network.state_dict())


def main() -> None:
    torch.set_num_threads(1)
    with process_group("cpu"):
        rank, world = rank_and_world()
        found = {
            f"{checkpointed}/{name}": value
            for checkpointed in (False, True)
            for name, value in fit(BATCH * world, checkpointed=checkpointed).items()
        }
        save_file(found, Path(sys.argv[1]) / f"{rank}")


if __name__ == "__main__":
    main()
