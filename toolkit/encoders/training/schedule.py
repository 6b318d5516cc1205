"""The course of a stage: its optimiser, its learning rate, and which of its steps cost the same."""

from __future__ import annotations

import math

from torch.nn import Module
from torch.optim import Adam, Optimizer

from toolkit.encoders.training.settings import StageSettings
from toolkit.rates import falling
from toolkit.training.ranger import make_ranger

_ADAM_BETAS = (0.9, 0.99)


def make_optimiser(trained: Module, settings: StageSettings) -> Optimizer:
    """The stage's optimiser of all parameters that take gradients."""
    parameters = [parameter for parameter in trained.parameters() if parameter.requires_grad]
    if settings.optimiser == "ranger":
        return make_ranger(parameters, settings.rate)
    return Adam(parameters, lr=settings.rate, betas=_ADAM_BETAS)


def rate_at(stage: StageSettings, local: int) -> float:
    """The learning rate of a stage's step."""
    warm = min(1.0, (local + 1) / max(1, stage.warmup))
    fade = falling(local / stage.steps) if stage.schedule == "cosine" else 1.0
    return stage.rate * warm * fade


def kinds_of_steps(stage: StageSettings) -> list[tuple[str, int, int]]:
    """A stage's kinds of steps: what sets each apart (empty: nothing), how many steps, and the last of them."""
    period = math.lcm(len(stage.windows), stage.mirror_every if stage.mirror else 1)
    found: dict[tuple[float, bool], list[range]] = {}
    for local in range(min(period, stage.steps)):
        mirrored = stage.mirror > 0 and local % stage.mirror_every == 0
        found.setdefault((stage.windows[local % len(stage.windows)], mirrored), []).append(
            range(local, stage.steps, period)
        )
    return [
        (_kind(*kind) if len(found) > 1 else "", sum(map(len, steps)), max(each[-1] for each in steps))
        for kind, steps in found.items()
    ]


def _kind(side: float, mirrored: bool) -> str:
    return f"window {side:g}" + (" and mirrored" if mirrored else "")
