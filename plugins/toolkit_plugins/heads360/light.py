"""Light: a sky, a ground, a lamp and a glow from behind, as 96 directions that any surface can be lit from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from toolkit_plugins.heads360.geometry import F32, Floats, unit

DIRECTIONS = 96


def _spread_directions() -> Floats:
    k = np.arange(DIRECTIONS) + 0.5
    polar, azimuth = np.arccos(1 - 2 * k / DIRECTIONS), np.pi * (1 + 5**0.5) * k
    return np.stack([np.cos(azimuth) * np.sin(polar), np.cos(polar), np.sin(azimuth) * np.sin(polar)], 1).astype(F32)


SPHERE = _spread_directions()
"""[DIRECTIONS, 3], evenly over the sphere (Fibonacci)."""


@dataclass(frozen=True)
class Light:
    """Light fixed in the world; colours are linear RGB."""

    sky: Floats
    """[3]."""
    ground: Floats
    """[3]."""
    side: float
    """-1..1: how much brighter the +x side of sky and ground is."""
    lamp_direction: Floats
    """[3], unit, towards the lamp."""
    lamp: Floats
    """[3], irradiance of a surface that faces the lamp."""
    lamp_size: float
    """Radius of the lamp as a slope: 0.02 gives sharp shadows, 0.3 soft ones."""
    behind: float
    """Strength of a glow from behind and above that draws outlines."""
    exposure: float = 1.0

    def environment(self) -> Floats:
        """Radiance times solid angle [DIRECTIONS, 3], without the lamp."""
        return self._environment

    @cached_property
    def _environment(self) -> Floats:
        glow_from = unit(np.array([-np.sign(self.lamp_direction[0] + 1e-6) * 0.7, 0.55, -0.8]))
        glow = self.behind * np.exp(6 * (SPHERE @ glow_from - 1))[:, None] * self.sky
        return np.asarray((self.radiance(SPHERE) + glow) * (4 * np.pi / DIRECTIONS), F32)

    def radiance(self, directions: Floats) -> Floats:
        """What a mirror shows [..., 3] in directions [..., 3]."""
        up = (0.5 + 0.5 * directions[..., 1:2]) ** 1.0
        sides = 1 + self.side * directions[..., :1] + 0.15 * directions[..., 2:]
        return np.asarray((self.sky * up + self.ground * (1 - up)) * sides, F32)

    @property
    def brightness(self) -> float:
        """Mean irradiance of a surface that faces forward, for exposure."""
        return float(np.pi * (self.sky + self.ground).mean() / 2 + 0.55 * self.lamp.mean())


def direction(azimuth: float, elevation: float) -> Floats:
    """A unit vector [3]; azimuth 0 is the front, positive towards +x, radians."""
    flat = np.cos(elevation)
    return np.array([np.sin(azimuth) * flat, np.sin(elevation), np.cos(azimuth) * flat], F32)


def studio() -> Light:
    """The one light of the clean domain: a large lamp from the front, above and a little to the side."""
    return Light(
        sky=np.array([0.45, 0.465, 0.49], F32),
        ground=np.array([0.24, 0.215, 0.20], F32),
        side=0.12,
        lamp_direction=direction(0.6, 0.66),
        lamp=np.array([2.05, 1.94, 1.80], F32),
        lamp_size=0.22,
        behind=0.5,
    )


def tone_mapped(colours: Floats, light: Light) -> Floats:
    """Linear radiance [..., 3] as sRGB in 0..1: exposure, a filmic curve, gamma."""
    exposed = colours * F32(2.05 * light.exposure / light.brightness)
    curved = np.clip(exposed * (2.51 * exposed + 0.03) / (exposed * (2.43 * exposed + 0.59) + 0.14), 0, 1)
    low = curved * 12.92
    high = 1.055 * np.power(np.maximum(curved, F32(0.0031308)), F32(1 / 2.4)) - 0.055
    return np.where(curved <= 0.0031308, low, high).astype(F32)
