"""Colours of skin, hair, irises and clothes: ramps from the darkest to the lightest, sRGB in 0..1."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from toolkit_plugins.heads360.parameters import HeadParameters
from toolkit_plugins.heads360.solids import smoothstep

SKIN = ((0.98, 0.82, 0.72), (0.90, 0.69, 0.55), (0.74, 0.52, 0.38), (0.52, 0.34, 0.24), (0.36, 0.235, 0.17))
HAIR = (
    (0.11, 0.095, 0.09),
    (0.19, 0.125, 0.09),
    (0.33, 0.21, 0.13),
    (0.55, 0.38, 0.21),
    (0.80, 0.64, 0.40),
    (0.86, 0.83, 0.78),
)
RED_HAIR = (0.52, 0.20, 0.09)
IRIS = ((0.25, 0.13, 0.06), (0.42, 0.25, 0.10), (0.32, 0.42, 0.17), (0.22, 0.45, 0.50), (0.22, 0.46, 0.82))


def colour(like: Tensor, red: float, green: float, blue: float) -> Tensor:
    """A colour [3, 1] with the type and device of a tensor."""
    return like.new_tensor([[red], [green], [blue]])


def ramp(stops: Sequence[tuple[float, float, float]], share: float, like: Tensor) -> Tensor:
    """The colour [3, 1] at a share 0..1 of the way along evenly spaced stops."""
    place = min(max(share, 0.0), 1.0) * (len(stops) - 1)
    first = min(int(place), len(stops) - 2)
    return torch.lerp(colour(like, *stops[first]), colour(like, *stops[first + 1]), place - first)


def skin_tone(p: HeadParameters, like: Tensor) -> Tensor:
    """Colour [3, 1] of the skin."""
    return ramp(SKIN, p.skin_tone, like) * (1 + 0.05 * p.skin_warmth * colour(like, 1.0, 0.0, -1.0))


def hair_tone(p: HeadParameters, like: Tensor) -> Tensor:
    """Colour [3, 1] of the hair; towards its end, `hair_red` makes it red."""
    red = 0.75 * smoothstep(0.65, 0.95, p.hair_red)
    return torch.lerp(ramp(HAIR, p.hair_colour, like), colour(like, *RED_HAIR), red)


def iris_tone(p: HeadParameters, like: Tensor) -> Tensor:
    """Colour [3, 1] of the iris."""
    return ramp(IRIS, p.iris_colour, like)


def lip_tone(p: HeadParameters, like: Tensor) -> Tensor:
    """Colour [3, 1] of the lips: between the skin's own red and lipstick."""
    natural = skin_tone(p, like) * colour(like, 0.92, 0.66, 0.66)
    painted = colour(like, 0.62 + 0.1 * p.lip_colour, 0.30 - 0.12 * p.lip_colour, 0.30 - 0.06 * p.lip_colour)
    return torch.lerp(natural, painted, 0.25 + 0.5 * p.lip_colour)


def clothes_tone(p: HeadParameters, like: Tensor) -> Tensor:
    """Colour [3, 1] of the clothes: a light grey or dark grey with a tint."""
    tint = p.clothes_tint
    return (0.15 + 0.65 * p.clothes_light) * colour(like, 1 + 0.45 * tint, 1 - 0.12 * abs(tint), 1 - 0.5 * tint)
