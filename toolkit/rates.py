"""How learning rates fall."""

from __future__ import annotations

import math


def falling(progress: float) -> float:
    """What is left of a rate: 1 at progress 0, down a cosine to 0 at progress 1."""
    return 0.5 + 0.5 * math.cos(math.pi * progress)
