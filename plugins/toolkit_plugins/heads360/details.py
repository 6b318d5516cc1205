"""What the wild domain adds to a head: details that no latent expresses, drawn from a second random stream."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from toolkit_plugins.heads360.head import Lighting
from toolkit_plugins.heads360.identity import check_identity, stream
from toolkit_plugins.heads360.solids import Place

HATS = (("none", 0.76), ("knitted", 0.14), ("brim", 0.10))
EARRINGS = (("none", 0.7), ("stud", 0.15), ("hoop", 0.15))
CLOTHS = (("plain", 0.28), ("stripes", 0.26), ("dots", 0.22), ("checks", 0.24))


@dataclass(frozen=True)
class Asymmetry:
    """How the sides of a face differ, world units or shares."""

    lift: float
    """One side sits higher than the other by twice this."""
    stretch: float
    """One side is this much wider, the other narrower."""
    nose_shift: float
    mouth_tilt: float


@dataclass(frozen=True)
class Spots:
    """Round marks on the front of the face."""

    places: tuple[tuple[float, float, float], ...]
    """(x, y, radius) of each."""
    strength: float


@dataclass(frozen=True)
class Wrinkles:
    """Strengths 0..1 of lines on the skin."""

    forehead: float
    eyes: float
    cheeks: float


class Wave(NamedTuple):
    """One of the sine waves that a texture is made of."""

    direction: Place
    """Radians per world unit."""
    phase: float


@dataclass(frozen=True)
class Texture:
    """A mottled texture: waves that are added up, and how strong they are."""

    waves: tuple[Wave, ...]
    strength: float


@dataclass(frozen=True)
class Cloth:
    """A pattern of two colours."""

    pattern: str
    """Of `CLOTHS`."""
    colour: Place
    pitch: float
    """World units from one stripe or dot to the next."""


@dataclass(frozen=True)
class Accessory:
    """A hat or earrings."""

    kind: str
    """Of `HATS` or `EARRINGS`."""
    colour: Place
    sides: tuple[bool, bool] = (True, True)
    """Whether there is one on the side of negative, and of positive x."""


@dataclass(frozen=True)
class WildDetails:
    """Everything that a wild head has and a clean one has not."""

    asymmetry: Asymmetry
    moles: Spots
    freckles: Spots
    wrinkles: Wrinkles
    skin: Texture
    strand_factor: float
    """How much higher the ridges of hair are than a clean head's."""
    strand_contrast: float
    cloth: Cloth
    hat: Accessory
    earrings: Accessory
    lighting: Lighting


def draw_details(split: str, seed: int, index: int) -> WildDetails:
    """The details of an identity, from the stream "heads360/wild/<split>".

    Raises:
        InputError: An unknown split, or a negative number.
    """
    check_identity(split, seed, index)
    rng = stream(f"heads360/wild/{split}", seed, index)
    age = rng.uniform()
    return WildDetails(
        asymmetry=Asymmetry(*(rng.uniform(-1, 1, 4) * (0.0045, 0.035, 0.004, 0.004)).tolist()),
        moles=_moles(rng),
        freckles=_freckles(rng),
        wrinkles=Wrinkles(*(np.clip(1.6 * age - 0.6 + rng.uniform(-0.2, 0.2, 3), 0, 1)).tolist()),
        skin=_texture(rng),
        strand_factor=float(rng.uniform(1.0, 1.7)),
        strand_contrast=float(rng.uniform(0.05, 0.22)),
        cloth=Cloth(_pick(rng, CLOTHS), _dye(rng), float(rng.uniform(0.03, 0.055))),
        hat=Accessory(_pick(rng, HATS), _dye(rng)),
        earrings=_earrings(rng),
        lighting=_lighting(rng),
    )


def _pick(rng: np.random.Generator, choices: tuple[tuple[str, float], ...]) -> str:
    names, odds = zip(*choices, strict=True)
    return str(rng.choice(names, p=odds))


def _dye(rng: np.random.Generator) -> Place:
    """A colour of textiles: any hue, from muted to strong."""
    hue, strength, light = rng.uniform(0, 2 * math.pi), rng.uniform(0.1, 0.45), rng.uniform(0.3, 0.75)
    red, green, blue = (light * (1 + strength * math.cos(hue + turn)) for turn in (0.0, -2.1, 2.1))
    return (red, green, blue)


def _moles(rng: np.random.Generator) -> Spots:
    count = int(rng.integers(0, 4))
    x, y = rng.uniform(-0.11, 0.11, count), rng.uniform(-0.15, 0.13, count)
    r = rng.uniform(0.0022, 0.0038, count)
    return Spots(tuple(zip(x.tolist(), y.tolist(), r.tolist(), strict=True)), 0.75)


def _freckles(rng: np.random.Generator) -> Spots:
    count = int(rng.integers(40, 90)) if rng.uniform() < 0.3 else 0
    x, y = rng.normal(0, 0.055, count), rng.normal(-0.025, 0.022, count)
    r = rng.uniform(0.0018, 0.0032, count)
    return Spots(tuple(zip(x.tolist(), y.tolist(), r.tolist(), strict=True)), float(rng.uniform(0.25, 0.5)))


def _texture(rng: np.random.Generator) -> Texture:
    directions = rng.standard_normal((8, 3))
    directions *= rng.uniform(60, 260, (8, 1)) / np.linalg.norm(directions, axis=1, keepdims=True)
    phases = rng.uniform(0, 2 * math.pi, 8).tolist()
    waves = tuple(Wave((x, y, z), phase) for (x, y, z), phase in zip(directions.tolist(), phases, strict=True))
    return Texture(waves, float(rng.uniform(0.02, 0.06)))


def _earrings(rng: np.random.Generator) -> Accessory:
    kind, metal = _pick(rng, EARRINGS), rng.uniform()
    colour = (0.92, 0.74, 0.30) if metal < 0.5 else (0.80, 0.82, 0.85) if metal < 0.8 else (0.75, 0.12, 0.18)
    single = rng.uniform() < 0.2
    first = bool(rng.uniform() < 0.5)
    return Accessory(kind, colour, (first, not first) if single else (True, True))


def _lighting(rng: np.random.Generator) -> Lighting:
    azimuth, elevation = math.radians(rng.uniform(-70, 70)), math.radians(rng.uniform(15, 65))
    level = math.cos(elevation)
    warmth = rng.uniform(-1, 1)
    return Lighting(
        lamp=(level * math.sin(azimuth), math.sin(elevation), level * math.cos(azimuth)),
        strength=float(rng.uniform(0.45, 0.75)),
        ambient=float(rng.uniform(0.30, 0.42)),
        tint=(1 + 0.06 * warmth, 1.0, 1 - 0.09 * warmth),
    )
