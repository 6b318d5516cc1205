"""Details that no latent describes: the wild domain's hats, scarves and light, and the effects of a camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit_plugins.heads360.geometry import F32, Floats
from toolkit_plugins.heads360.hats import HATS
from toolkit_plugins.heads360.identity import check_identity, stream
from toolkit_plugins.heads360.light import Light, direction, studio


@dataclass(frozen=True)
class Details:
    """What a head has besides its latent."""

    light: Light
    hat: str = "none"
    hat_colour: tuple[float, float, float] = (0.1, 0.1, 0.1)
    scarf: bool = False
    scarf_colour: tuple[float, float, float] = (0.1, 0.1, 0.1)


def clean_details() -> Details:
    """Nothing but the studio's light."""
    return Details(studio())


def draw_details(split: str, seed: int, index: int) -> Details:
    """The wild details of a subject.

    Raises:
        InputError: An unknown split, or a negative number.
    """
    check_identity(split, seed, index)
    rng = stream(f"people/details/{split}", seed, index)
    light = wild_light(rng)
    hat = HATS[int(rng.choice(len(HATS), p=(0.79, 0.08, 0.08, 0.05)))]
    scarf = bool(rng.random() < 0.08)
    return Details(light, hat, _dye(rng), scarf, _dye(rng))


def wild_light(rng: np.random.Generator) -> Light:
    """Light as in snapshots: from anywhere before the face, warm or cold, sharp or soft, sometimes coloured."""
    warmth, strength = rng.normal(0, 0.16), rng.uniform(0.4, 2.9)
    lamp = strength * np.array([np.exp(warmth), 1.0, np.exp(-warmth)])
    if rng.random() < 0.12:
        lamp = lamp * np.exp(rng.normal(0, 0.18, 3))
    sky = np.array([0.47, 0.49, 0.52]) * np.exp(rng.normal(0, 0.07, 3)) * rng.uniform(0.6, 1.4)
    ground = np.array([0.30, 0.27, 0.25]) * np.exp(rng.normal(0, 0.14, 3)) * rng.uniform(0.5, 1.4)
    return Light(
        sky=sky.astype(F32),
        ground=ground.astype(F32),
        side=float(rng.uniform(-0.5, 0.5)),
        lamp_direction=direction(float(rng.normal(0, 0.75)), float(rng.uniform(0.05, 1.05))),
        lamp=lamp.astype(F32),
        lamp_size=float(rng.uniform(0.03, 0.4)),
        behind=float(rng.uniform(0, 1.1)),
        exposure=float(np.exp(rng.normal(0, 0.13))),
    )


def _dye(rng: np.random.Generator) -> tuple[float, float, float]:
    grey = rng.random() ** 1.7 * 0.6 + 0.015
    colour: Floats = grey * np.exp(rng.normal(0, 0.5, 3))
    r, g, b = np.clip(colour, 0.01, 0.8)
    return float(r), float(g), float(b)
