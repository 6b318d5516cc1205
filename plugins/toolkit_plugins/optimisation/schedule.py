"""How learning rate and exploration noise run over the steps of a projection (StyleGAN2-ADA's projector).

Progress t is step / steps: 0 at the first step, never quite 1.
"""

from __future__ import annotations

import math

WARM_UP = 0.05
"""Share of the steps over which the learning rate rises linearly, starting from zero."""
FADE = 0.25
"""Share of the steps, the last ones, over which it falls along a cosine."""
NOISE_SHARE = 0.75
"""Share of the steps with exploration noise, the first ones."""


def learning_rate_factor(step: int, steps: int, start: int = 0) -> float:
    """Multiplier in [0, 1] of the base learning rate at a step (0-based).

    Args:
        step: The step that is about to be taken.
        steps: Number of steps in all.
        start: Step at which the variable starts to move; its warm-up counts from there.
    """
    if step < start:
        return 0.0
    fade = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - step / steps) / FADE))
    return fade * min(1.0, (step - start) / steps / WARM_UP)


def noise_factor(step: int, steps: int) -> float:
    """Multiplier in [0, 1] of the exploration noise at a step (0-based)."""
    return max(0.0, 1 - step / steps / NOISE_SHARE) ** 2
