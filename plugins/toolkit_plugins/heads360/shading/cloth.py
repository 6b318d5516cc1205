"""Cloth, knitwear, frames and metal."""

from __future__ import annotations

import numpy as np

from toolkit_plugins.heads360.accessories import frame_colour
from toolkit_plugins.heads360.clothing.garments import MARK_COLLAR
from toolkit_plugins.heads360.clothing.necklines import below_neckline
from toolkit_plugins.heads360.details import Details
from toolkit_plugins.heads360.geometry import F32, Floats, dot
from toolkit_plugins.heads360.light import Light
from toolkit_plugins.heads360.noise import noise
from toolkit_plugins.heads360.parts import Kind, one_of
from toolkit_plugins.heads360.person import Dress
from toolkit_plugins.heads360.shading.samples import Samples

_METAL = np.array([0.62, 0.48, 0.24], F32)


def cloth_colours(places: Floats, collar: Floats, dress: Dress) -> Floats:
    """Albedo [N, 3] of clothing at template places; `collar` [N] is 1 on collars."""
    x, y, z = places.T
    first, second = dress.colours
    colour = np.tile(first, (len(places), 1))
    if dress.pattern == "stripes":
        colour = np.where((np.sin(y * 24) > 0.2)[:, None], colour, second)
    elif dress.pattern == "check":
        colour = colour * (1 - 0.4 * (np.sin(y * 18) > 0.5))[:, None] * (1 - 0.4 * (np.sin(x * 18) > 0.5))[:, None]
    elif dress.pattern == "dots":
        row = np.floor(y * 5)
        spot = np.sin(np.pi * (x * 5 + 0.5 * (row % 2))) ** 2 + np.sin(np.pi * y * 5) ** 2 > 1.75
        colour = np.where(spot[:, None], second, colour)
    width = np.abs(x)
    if dress.cloth in ("suit", "jacket"):
        gap = np.clip(0.52 - 0.35 * (5.7 - y), 0.03, 0.5) * (z > 0.1)
        shirt = (width < gap) & (collar < 0.5)
        inner = np.array([0.62, 0.63, 0.66], F32) if dress.cloth == "suit" else second
        colour = np.where(shirt[:, None], inner, colour * (0.6 if dress.cloth == "suit" else 1.0))
        tie = shirt & (width < 0.07 + 0.02 * (5.6 - y)) & (dress.cloth == "suit") & (dress.pattern != "dots")
        colour = np.where(tie[:, None], second * 0.7, colour)
        seam = (np.abs(width - gap) < 0.014) & (gap > 0.03) & (collar < 0.5)
        colour = np.where(seam[:, None], colour * 0.55, colour)
    elif dress.cloth in ("shirt", "polo", "blouse"):
        placket = (np.abs(width - 0.07) < 0.006) & (z > 0.3) & (collar < 0.5)
        button = (x**2 + (((y * 2.9) % 1) / 2.9 - 0.17) ** 2 < 0.018**2) & (z > 0.3) & (collar < 0.5)
        colour = np.where((placket | button)[:, None], colour * 0.6, colour)
    elif dress.cloth == "dungarees":
        bib = ((np.abs(width - 0.62) < 0.13) | ((y < 5.25 - 0.1 * z) & (width < 0.75) & (z > 0))) & (collar < 0.5)
        colour = np.where(bib[:, None], np.array([0.045, 0.075, 0.15], F32), colour)
    return np.asarray(colour, F32)


def shade_cloth(
    s: Samples, dress: Dress, details: Details, irradiance: Floats, openness: Floats, light: Light
) -> Floats:
    """Radiance [N, 3] of clothing, hats, scarves, frames and metal."""
    colour = np.zeros((len(s.kinds), 3), F32)
    places = s.places
    for kind in np.unique(s.kinds):
        own = s.kinds == kind
        place, extra = places[own], s.extra[own]
        if kind in (Kind.CLOTH, Kind.SKIN):
            painted = cloth_colours(place, (extra[:, 1] >= MARK_COLLAR).astype(F32), dress)
            below = below_neckline(place, dress.cloth)
            plain = dress.cloth in ("t-shirt", "v-neck", "tank top", "dungarees")
            hem = np.where((np.abs(below - 0.075) < 0.007) & plain, 0.86, 1)
            weave = 1 + 0.10 * noise(place, 38) + 0.06 * noise(place, 90)
            rib = 1 + 0.12 * np.sin(np.arctan2(place[:, 0], place[:, 2] - 0.1) * 130) * (
                dress.cloth in ("sweater", "turtleneck")
            )
            colour[own] = painted * (weave * hem * rib)[:, None]
        elif kind in (Kind.HAT, Kind.SCARF):
            around = np.arctan2(place[:, 0], place[:, 2] - 0.2)
            knit = details.hat == "beanie" or kind == Kind.SCARF
            rib = 1 + 0.16 * knit * np.sin(around * 60)
            dye = details.hat_colour if kind == Kind.HAT else details.scarf_colour
            wool = 1 + 0.12 * noise(place, 30) + 0.08 * noise(place, 75)
            colour[own] = np.array(dye, F32) * (rib * wool)[:, None]
        else:
            colour[own] = frame_colour(dress) if kind == Kind.FRAME else _METAL
    facing = np.clip(s.normals @ light.lamp_direction, 0, 1) * s.lamp
    received = s.mixed(irradiance) + facing[:, None] * light.lamp / np.pi
    rim = (1 - np.clip(dot(s.normals, s.viewer), 0, 1)) ** 3
    around_light = light.environment().sum(0) / (4 * np.pi)
    radiance = colour * received + (colour * 0.3 + 0.015) * (rim * 0.5 * s.mixed(openness))[:, None] * around_light
    hard = np.nonzero(one_of(s.kinds, [Kind.FRAME, Kind.METAL]))[0]
    if len(hard):
        radiance[hard] = _polished(s.where(hard), colour[hard], radiance[hard], light)
    return np.asarray(radiance, F32)


def _polished(s: Samples, colour: Floats, diffuse: Floats, light: Light) -> Floats:
    half = np.asarray(light.lamp_direction + s.viewer)
    half = half / np.linalg.norm(half, axis=1, keepdims=True)
    gleam = np.clip(dot(s.normals, half), 0, 1) ** 60 * s.lamp
    mirrored = 2 * dot(s.normals, s.viewer)[:, None] * s.normals - s.viewer
    return diffuse * 0.5 + (colour * 0.8 + 0.05) * light.radiance(mirrored) * 0.6 + gleam[:, None] * light.lamp * 0.3
