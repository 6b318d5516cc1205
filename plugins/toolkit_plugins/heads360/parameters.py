"""The parameters of a head, and how a latent of independent normals becomes them.

Order, ranges and the mapping are fixed for good: a generator is trained with this latent as its input.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor

from toolkit.errors import InputError
from toolkit_plugins.heads360.solids import between


def _within(low: float, high: float) -> Any:
    """A field whose latent number moves it through low..high."""
    return field(metadata={"range": (low, high)})


@dataclass(frozen=True)
class HeadParameters:
    """A head in numbers: world units, radians or factors; the fields stand in the latent's order."""

    skull_width: float = _within(0.92, 1.07)
    skull_height: float = _within(0.95, 1.07)
    skull_depth: float = _within(0.95, 1.06)
    jaw_width: float = _within(0.84, 1.12)
    jaw_length: float = _within(-0.014, 0.018)
    chin: float = _within(0.5, 1.4)
    cheeks: float = _within(0.6, 1.5)
    nose_length: float = _within(-0.01, 0.018)
    nose_width: float = _within(0.8, 1.3)
    nose_bridge: float = _within(0.7, 1.25)
    eye_size: float = _within(0.9, 1.14)
    eye_spacing: float = _within(0.93, 1.09)
    eye_height: float = _within(-0.008, 0.01)
    eye_open: float = _within(0.45, 0.85)
    brow_height: float = _within(-0.006, 0.012)
    brow_tilt: float = _within(-0.012, 0.012)
    brow_thickness: float = _within(0.6, 1.5)
    mouth_width: float = _within(0.8, 1.2)
    lip_fullness: float = _within(0.6, 1.4)
    mouth_height: float = _within(-0.008, 0.008)
    smile: float = _within(-0.007, 0.017)
    ear_size: float = _within(0.85, 1.2)
    neck_width: float = _within(0.85, 1.15)

    hair_length: float = _within(-0.38, 1.0)
    """Below -0.33 shaved, 0 ear-long, 1 down to the shoulders."""
    hair_volume: float = _within(0.0, 1.0)
    fringe: float = _within(0.0, 1.0)
    hair_wave: float = _within(0.0, 1.0)
    parting: float = _within(-1.0, 1.0)

    # colours: positions on ramps (see paint.py)
    skin_tone: float = _within(0.0, 1.0)
    skin_warmth: float = _within(-1.0, 1.0)
    hair_colour: float = _within(0.0, 1.0)
    hair_red: float = _within(0.0, 1.0)
    iris_colour: float = _within(0.0, 1.0)
    lip_colour: float = _within(0.0, 1.0)
    clothes_light: float = _within(0.0, 1.0)
    clothes_tint: float = _within(-1.0, 1.0)
    neckline: float = _within(0.0, 1.0)

    # extras grow from nothing past a threshold, so that a picture stays a smooth function of the latent
    beard: float = _within(-1.8, 1.0)
    glasses: float = _within(-1.7, 1.0)
    glasses_round: float = _within(0.0, 1.0)


RANGES: dict[str, tuple[float, float]] = {entry.name: entry.metadata["range"] for entry in fields(HeadParameters)}
"""Name -> (low, high), in the latent's order."""
LATENT_DIM = len(RANGES)


def head_parameters(latent: Tensor) -> HeadParameters:
    """Map a latent of independent standard normals to parameters.

    Each number z_i becomes low + (high - low) * Phi(z_i), smooth and monotone; afterwards a few parameters are made
    to depend on others, since independent ones give odd combinations (see the comments).

    Args:
        latent: [LATENT_DIM].

    Raises:
        InputError: Another shape, or NaN or infinity.
    """
    if latent.shape != (LATENT_DIM,) or not torch.isfinite(latent).all():
        raise InputError(f"a heads360 latent must be {LATENT_DIM} finite numbers, got shape {list(latent.shape)}")
    shares = torch.special.ndtr(latent.detach().cpu().double()).tolist()
    values = {name: between(*RANGES[name], share) for name, share in zip(RANGES, shares, strict=True)}
    low, high = RANGES["hair_length"]
    # short hair is more frequent than long hair
    values["hair_length"] = between(low, high, ((values["hair_length"] - low) / (high - low)) ** 1.35)
    # beards are rarer where the hair is long
    values["beard"] = max(0.0, values["beard"] - 0.6 * max(0.0, values["hair_length"] - 0.35))
    # pigment of skin, hair and eyes goes together, loosely
    values["hair_colour"] *= 1 - 0.85 * values["skin_tone"] ** 1.5
    values["hair_red"] *= 1 - 0.5 * values["skin_tone"]
    values["iris_colour"] *= 1 - 0.7 * values["skin_tone"]
    values["glasses"] = max(0.0, min(1.0, 4 * values["glasses"]))
    return HeadParameters(**values)
