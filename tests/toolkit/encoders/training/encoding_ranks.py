"""As a program in each of several processes: takes steps of small encoder trainings, and saves gradients and losses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

sys.path.insert(0, str(Path(__file__).parents[3]))
from encoder_training import STAGES, tiny_job

from toolkit.testing.spherical import build_spherical
from toolkit.training.distribution import average_numbers, process_group, rank_and_world
from toolkit.training.overlapping import parameters_of

ROWS = 4
"""Of the whole batch: half of them photos, half pairs."""
FRESH = ("pairs.count=0", "pairs.resolution=8", "pairs.space=w+")
TRAININGS: dict[str, tuple[str, ...]] = {
    "psp": ("images.photos=0.5", "images.codes=1", *FRESH),
    "e4e": ("images.photos=0.5", "images.codes=1", "latents.pool=3", "latents.weight=1"),
    "triplanenet": ("planes.photos=0.5", *FRESH),
    "goae": ("alignment.photos=0.5", *FRESH),
    "dual-encoder": ("encoder2.joint.photos=0.5", "encoder2.joint.around=1", "encoder2.joint.codes=1", *FRESH),
}
LAST = {
    "psp": "images", "e4e": "images", "triplanenet": "planes", "goae": "alignment", "dual-encoder": "encoder2.joint",
}  # fmt: skip
"""The stage of each that is looked at, with both kinds of rows."""
STEPS = 3


def small_job(kind: str, photos: Path) -> Any:
    """A training whose batch statistics are frozen."""
    own = ROWS // rank_and_world()[1]
    stage = LAST[kind]
    others = [f"{other}.steps=0" for other in STAGES[kind] if other != stage]
    job = tiny_job(
        kind, photos, build_spherical(), *TRAININGS[kind], *others, f"{stage}.batch={own}", f"{stage}.rate=1e-5",
        steps=STEPS,
    )  # fmt: skip
    networks = [job.network, *(each.discriminator for each in job.recipe.opponents.values())]
    for network in networks:
        for part in network.modules():
            if isinstance(part, _BatchNorm):
                part.train(False)
                part.train = lambda mode=True, part=part: part  # type: ignore[method-assign]
    return job


def take_steps(kind: str, photos: Path) -> dict[str, Tensor]:
    """All gradients as optimisers take them, averaged, and all losses, by training and order."""
    job, found = small_job(kind, photos), {}

    def noted(optimiser: Optimizer, *_: Any) -> None:
        number, some = len(found), parameters_of(optimiser)
        found.update({f"{kind}/{number}/{i}": one.grad.clone() for i, one in enumerate(some) if one.grad is not None})

    for optimiser in job.optimisers().values():
        optimiser.register_step_pre_hook(noted)
    torch.manual_seed(rank_and_world()[0])  # no row may draw from here
    for step in range(STEPS):
        losses = average_numbers(job.training_step(job.batch(step), step))
        found |= {f"{kind}/losses/{step}/{name}": torch.tensor(value) for name, value in losses.items()}
    return found


def main() -> None:
    torch.set_num_threads(1)
    photos, out = Path(sys.argv[1]), Path(sys.argv[2])
    with process_group("cpu"):
        found: dict[str, Tensor] = {}
        for kind in TRAININGS:
            found |= take_steps(kind, photos)
        save_file(found, out / str(rank_and_world()[0]))


if __name__ == "__main__":
    main()
