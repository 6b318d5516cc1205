"""Where each kind of clothing ends round the neck and the shoulders."""

from __future__ import annotations

import numpy as np

from toolkit_plugins.heads360.geometry import F32, Floats, smoothstep

_RADIUS = {"tank top": 0.86, "v-neck": 0.70, "blouse": 0.74, "shirt": 0.58, "polo": 0.59, "suit": 0.58, "jacket": 0.60,
           "hoodie": 0.64, "sweater": 0.66}  # fmt: skip
"""Of the opening, decimetres."""


def below_neckline(places: Floats, kind: str) -> Floats:
    """How far [...] template places [..., 3] lie below or outside the neckline, decimetres; positive: there is cloth.

    The opening is a cone round the neck: on the shoulders, which lie flat, its radius counts, on the neck its height.
    """
    x, y, z = places[..., 0], places[..., 1], places[..., 2]
    width, front = np.abs(x), smoothstep(0.0, 0.4, z)
    if kind == "turtleneck":
        return np.asarray(6.12 - 0.2 * (z - 0.1) - y, F32)
    height = y - (5.84 - 0.42 * np.clip(z, -0.55, 1.3))
    inside = 0.9 * (np.sqrt(x * x + (z - 0.1) ** 2) - _RADIUS.get(kind, 0.68)) - height
    if kind in ("v-neck", "blouse"):
        inside = inside - np.clip(1 - width / 0.42, 0, 1) * 0.55 * front
    elif kind == "tank top":
        inside = inside - 4.5 * smoothstep(1.08, 1.25, width)
    elif kind in ("shirt", "polo"):
        inside = inside - np.clip(1 - width / 0.2, 0, 1) * (0.42 if kind == "shirt" else 0.3) * front
    elif kind in ("suit", "jacket"):
        inside = inside - np.clip(1 - width / 0.14, 0, 1) * 0.18 * front
    return np.asarray(inside, F32)
