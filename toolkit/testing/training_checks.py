"""What a training must keep: steps that change weights, a state that comes back, a file at the end."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from toolkit.testing.requirements import require, require_equal

WEIGHTS_FILE = "weights.safetensors"
"""What the check leaves in its folder."""


def check_training(make: Callable[[], Any], folder: Path, steps: int = 2) -> None:
    """Run the first steps of a training, resume them in a second one, and export.

    Args:
        make: Builds the training with a small configuration; called twice.
        folder: Where the weights file is written.
        steps: How many steps are taken before the state is carried over; fewer where the training is shorter.
    """
    job = make()
    for name in ("name", "seed", "steps", "config", "modules", "optimisers", "batch", "training_step", "export"):
        require(hasattr(job, name), f"a training must have {name}")
    require(job.steps >= 2, f"the training has {job.steps} step, the check takes at least 2")
    steps = min(steps, job.steps - 1)
    modules = job.modules()
    require(bool(modules), "modules() names no network")
    before = {key: value.clone() for key, value in _tensors(modules).items()}
    torch.manual_seed(job.seed)
    for step in range(steps):
        _step(job, step)
    changed = [key for key, value in _tensors(modules).items() if not torch.equal(value, before[key])]
    require(bool(changed), "no weight changes in a step")
    twin = make()
    _carry_over(job, twin)
    states = []
    for one in (job, twin):
        torch.manual_seed(1)
        _step(one, steps)
        states.append(_tensors(one.modules()))
    for key, value in states[0].items():
        require_equal(states[1][key], value, f"{key} after a step of a resumed training")
    place = folder / WEIGHTS_FILE
    job.export(place)
    require(place.is_file() and place.stat().st_size > 0, "export() wrote no file")


def _step(job: Any, step: int) -> None:
    losses = job.training_step(job.batch(step), step)
    for name, value in losses.items():
        require(math.isfinite(float(value)), f"the loss {name!r} is {value} at step {step}")


def _carry_over(job: Any, twin: Any) -> None:
    for name, module in job.modules().items():
        twin.modules()[name].load_state_dict(copy.deepcopy(module.state_dict()))
    for name, optimiser in job.optimisers().items():
        twin.optimisers()[name].load_state_dict(copy.deepcopy(optimiser.state_dict()))
    twin.load_state(copy.deepcopy(job.state()))


def _tensors(modules: Any) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": value.detach().clone()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
