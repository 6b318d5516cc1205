"""Hair, brows, beards and lashes: two highlights along the strand, and light through the hair's mass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolkit_plugins.heads360.geometry import F32, Floats, dot, smoothstep, unit
from toolkit_plugins.heads360.light import Light
from toolkit_plugins.heads360.parts import Kind
from toolkit_plugins.heads360.person import Hair
from toolkit_plugins.heads360.shading.samples import Samples
from toolkit_plugins.heads360.transfer import HairLight

_GREY = np.array([0.40, 0.40, 0.41], F32)


def strand_colours(kinds: NDArray[np.uint8], along: Floats, tone: Floats, hair: Hair) -> Floats:
    """Albedo [N, 3] of strands, each its own shade."""
    grey = hair.grey
    spread = min(0.6, 2 * grey)
    salted = ((tone * 7.13) % 1 < grey).astype(F32)
    share = np.clip(1.05 * grey + (tone - 0.5) * spread + 0.25 * (salted - 0.5) * min(1, 4 * grey * (1 - grey)), 0, 1)
    mixed = _GREY * share[:, None] + hair.colour * (1 - share)[:, None]
    colour = mixed * np.exp(0.5 * (tone - 0.5))[:, None] * (0.8 + 0.25 * along)[:, None] * 1.5 + 0.008
    brow = hair.colour * (1 - 0.7 * share)[:, None] + F32(0.17) * share[:, None] + F32(0.012)
    colour = np.where((kinds == Kind.BROW)[:, None], brow, colour)
    beard = (kinds == Kind.BEARD)[:, None]
    return np.asarray(np.where(beard, colour * np.array([0.92, 0.78, 0.70], F32), colour), F32)


def shade_strands(s: Samples, hair: Hair, within: HairLight | None, light: Light) -> Floats:
    """Radiance [N, 3] of strands of hair: highlights along the strand, shadow inside the volume."""
    along, tone = s.extra[:, 0], s.extra[:, 1]
    tangent, normal, view, lamp = unit(s.places), s.normals, s.view, light.lamp_direction
    colour = strand_colours(s.kinds, along, tone, hair)
    whole = light.environment().sum(0)
    ambient, open_lamp = np.tile(0.4 * whole, (len(s), 1)).astype(F32), np.full(len(s), 0.6, F32)
    inside = (s.kinds == Kind.HAIR) | (s.kinds == Kind.BEARD)
    if within is not None and inside.any():
        ambient[inside], open_lamp[inside] = within.at(s.points[inside])
    facing_lamp = np.clip(0.35 + 0.65 * (normal @ lamp), 0, 1)
    across = np.sqrt(np.clip(1 - (tangent @ lamp) ** 2, 0, 1))
    facing = 0.55 + 0.45 * np.clip(dot(normal, view), 0, 1)
    root = np.where(s.kinds == Kind.HAIR, 0.6 + 0.4 * smoothstep(0, 0.35, along), 1)
    direct = (open_lamp * across * facing_lamp * 0.42)[:, None] * light.lamp
    radiance = colour * (ambient * (0.42 * facing)[:, None] + direct) * root[:, None]
    spread = 0.1 * (tone - 0.5)
    white = 0.075 * _lobe(tangent, normal, view, lamp, spread - 0.08, 60)
    tinted = 0.40 * _lobe(tangent, normal, view, lamp, spread + 0.14, 16)
    radiance += (
        (white[:, None] + colour**0.75 * tinted[:, None]) * (open_lamp * facing_lamp * 0.6)[:, None] * light.lamp
    )
    sheen = 0.03 * (0.35 + 0.9 * np.clip(normal[:, 1], 0, 1)) * (0.4 + 1.2 * tone)
    radiance += sheen[:, None] * ambient
    lash = s.kinds == Kind.LASH
    radiance[lash] = (0.012 + 0.04 * hair.colour) * whole * 0.3
    return np.asarray(radiance, F32)


def _lobe(tangent: Floats, normal: Floats, view: Floats, lamp: Floats, shift: Floats, sharp: float) -> Floats:
    """A highlight [N] across strands, shifted along them."""
    tilted = unit(tangent + normal * shift[:, None])
    a, b = tilted @ lamp, dot(tilted, view)
    cosine = np.sqrt(np.clip(1 - a * a, 0, 1)) * np.sqrt(np.clip(1 - b * b, 0, 1)) - a * b
    return np.asarray(np.clip(cosine, 0, 1) ** sharp, F32)
