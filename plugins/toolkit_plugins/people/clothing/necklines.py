"""Where each kind of clothing ends round the neck and the shoulders."""

from __future__ import annotations

import numpy as np

from toolkit_plugins.people.geometry import F32, Floats, smoothstep


def below_neckline(places: Floats, kind: str) -> Floats:
    """Height [...] of the neckline above template places [..., 3]; positive where there is cloth."""
    x, y, z = places[..., 0], places[..., 1], places[..., 2]
    width, front = np.abs(x), (z > 0.1).astype(F32)
    if kind == "turtleneck":
        return np.asarray(6.12 - 0.2 * (z - 0.1) - y, F32)
    line = 5.84 - 0.42 * np.clip(z, -0.55, 1.3) + 1.5 * smoothstep(0.7, 1.15, width)
    if kind in ("v-neck", "blouse"):
        line = line - np.clip(1 - width / 0.42, 0, 1) * 0.55 * front
    elif kind == "tank top":
        line = line - 0.2 * smoothstep(0, 1, z) - 4.5 * smoothstep(1.1, 1.25, width)
    elif kind in ("shirt", "polo"):
        depth = 0.5 if kind == "shirt" else 0.34
        line = line + 0.14 - np.clip(1 - width / 0.2, 0, 1) * depth * front
    elif kind in ("suit", "jacket"):
        line = line + 0.15 - np.clip(1 - width / 0.14, 0, 1) * 0.18 * front
    elif kind == "hoodie":
        line = line + 0.08
    elif kind == "sweater":
        line = line + 0.02
    return np.asarray(line - y, F32)
