"""Expressions: what the expression latent says, as facial actions, gaze and the lean of the head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from toolkit_plugins.heads360.latent import Latent


@dataclass(frozen=True)
class Expression:
    """What a face does at this moment."""

    actions: Mapping[str, float]
    """Amount in 0..1 of each of MakeHuman's face units that is not 0."""
    gaze: tuple[float, float]
    """Radians towards +x and up, relative to the head."""
    lean: tuple[float, float, float]
    """Turn of the head against the shoulders about x, y, z in radians."""
    teeth: float
    """How much teeth show, 0..1."""


def expression_of(latent: Latent) -> Expression:
    """Read the expression latent; about a third of all faces are neutral, a third smile, half of these with teeth."""
    (smile, teeth, jaw, pucker, frown, lift, knit, inner, squint, blink, wide, gaze_x, gaze_y, crooked) = (
        latent.quantiles("expression")
    )
    happy = _above(smile, 0.38) * (1 - _above(frown, 0.85))
    grin = _above(teeth, 0.45) * happy
    sided = (crooked - 0.5) * 0.5
    actions: dict[str, float] = {}
    _pair(actions, "mouthSmile", 0.95 * happy, sided)
    _pair(actions, "cheekSquint", 0.5 * happy)
    _pair(actions, "mouthDimple", 0.35 * happy)
    _pair(actions, "mouthUpperUp", 0.55 * grin)
    _pair(actions, "mouthLowerDown", 0.45 * grin)
    _pair(actions, "mouthStretch", 0.35 * grin)
    _pair(actions, "noseSneer", 0.12 * grin)
    opened = _above(jaw, 0.72)
    actions["jawOpen"] = 0.10 * grin + 0.38 * opened**1.3 * (1 - 0.5 * happy)
    if opened and not grin:
        _pair(actions, "mouthUpperUp", 0.25 * opened)
    actions["mouthPucker"] = 0.45 * _above(pucker, 0.9) * (1 - happy) * (1 - opened)
    actions["mouthPressLeft"] = actions["mouthPressRight"] = 0.4 * _above(1 - pucker, 0.85) * (1 - grin) * (1 - opened)
    _pair(actions, "mouthFrown", 0.55 * _above(frown, 0.8) * (1 - happy))
    _pair(actions, "browOuterUp", 0.6 * _above(lift, 0.75))
    _pair(actions, "browDown", 0.7 * _above(knit, 0.75))
    actions["browInnerUp"] = 0.5 * _above(inner, 0.75)
    _pair(actions, "eyeSquint", 0.15 * _above(squint, 0.5) + 0.1 * happy)
    _pair(actions, "eyeBlink", 0.05 * blink + 0.9 * _above(blink, 0.955))
    _pair(actions, "eyeWide", 0.3 * _above(wide, 0.6))
    gaze = (0.34 * (gaze_x - 0.5), 0.2 * (gaze_y - 0.5))
    actions["eyeLookDownLeft"] = actions["eyeLookDownRight"] = max(0.0, -gaze[1]) * 1.5
    lean = (0.10 * (wide - 0.5), 0.16 * (crooked - 0.5), 0.10 * (inner - 0.5))
    kept = {name: float(np.clip(amount, 0, 1)) for name, amount in actions.items() if amount > 1e-3}
    return Expression(kept, gaze, lean, max(grin, 0.8 * opened))


def _above(quantile: float, start: float) -> float:
    """0 up to a quantile, then rising to 1."""
    return max(0.0, (quantile - start) / (1 - start))


def _pair(actions: dict[str, float], name: str, amount: float, sided: float = 0.0) -> None:
    """Set an action of both sides, stronger on one."""
    actions[f"{name}Left"], actions[f"{name}Right"] = amount * (1 + sided), amount * (1 - sided)
