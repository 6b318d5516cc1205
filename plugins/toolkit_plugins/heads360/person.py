"""A person: everything that a latent says, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from toolkit_plugins.heads360.expression import Expression
from toolkit_plugins.heads360.geometry import Floats


@dataclass(frozen=True)
class Skin:
    """What skin is like; amounts in 0..1 unless said."""

    melanin: float
    blood: float
    """Haemoglobin, 0.1 to 0.8."""
    yellow: float
    """-0.15 to 0.25."""
    freckles: float
    moles: float
    wrinkles: float
    blemishes: float
    """Uneven redness."""
    shine: float
    lipstick: float
    lip_colour: Floats
    """[3]."""


@dataclass(frozen=True)
class Hair:
    """What hair is like; amounts in 0..1 unless said."""

    style: str
    colour: Floats
    """[3], without grey."""
    grey: float
    length: float
    volume: float
    curl: float
    parting: float
    """Place of the parting, -1 (person's right) to 1."""
    recession: float
    tidiness: float
    brow_thickness: float
    brow_density: float
    brow_arch: float
    """-1 to 1."""
    beard: str
    beard_length: float
    beard_density: float


@dataclass(frozen=True)
class Dress:
    """What a person wears."""

    cloth: str
    pattern: str
    colours: Floats
    """[2, 3]."""
    glasses: str
    glasses_shape: tuple[float, float, float, float]
    """Width, height, squareness, colour; quantiles."""
    earrings: str


@dataclass(frozen=True)
class Person:
    """Everything that a latent says."""

    feminine: float
    """0 man to 1 woman."""
    years: float
    ancestry: tuple[float, float, float]
    """African, Asian, Caucasian shares, as MakeHuman's targets are named."""
    muscle: float
    weight: float
    shape: Floats
    """[40] standard normals."""
    form: Floats
    """[8] amounts of head shapes."""
    asymmetry: Floats
    """[4] standard normals."""
    skin: Skin
    iris: Floats
    """[3]."""
    hair: Hair
    dress: Dress
    expression: Expression
    seed: int = field(default=0)
    """Of details that no one could tell from the latent: places of strands, moles, folds; a function of the latent."""

    @property
    def old(self) -> float:
        """0 at 25 years and below, 1 at 90."""
        return max(0.0, (self.years - 25) / 65)
