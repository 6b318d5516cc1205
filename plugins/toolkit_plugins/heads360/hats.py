"""Hats: a beanie, a cap, a hat with a brim; hair below them is cut where they sit."""

from __future__ import annotations

import numpy as np

from toolkit_plugins.heads360.anatomy import anatomy
from toolkit_plugins.heads360.clothing.cutting import cut
from toolkit_plugins.heads360.geometry import F32, Floats, Surface, sheet, smoothstep, triangles_of, tube, unit
from toolkit_plugins.heads360.hair.scalp import Scalp
from toolkit_plugins.heads360.parts import Kind, Parts
from toolkit_plugins.heads360.shaping import confined

HATS = ("none", "beanie", "cap", "brimmed")
_CELLS = 4
_LINES = {"beanie": (7.62, 0.10), "cap": (7.68, 0.12), "brimmed": (7.70, 0.10)}
"""Template height of the lower edge over the ears, and how it rises to the front."""


def hat_line(kind: str, z: Floats) -> Floats:
    """Template height [...] of a hat's lower edge."""
    height, tilt = _LINES[kind]
    return np.asarray(height + tilt * (z - 0.2), F32)


def add_hat(parts: Parts, scalp: Scalp, kind: str) -> None:
    """Add one of HATS to `parts`."""
    if kind == "none":
        return
    middle = scalp.at_place((0.0, 7.6, 0.2))
    points, places = _skull(scalp)
    away = points - middle
    crown = smoothstep(7.7, 8.4, places[:, 1])
    above = places[:, 1] - hat_line(kind, places[:, 2])
    thick = {"beanie": 0.15 + 0.15 * crown, "brimmed": 0.16 + 0.2 * crown}.get(kind, 0.15 + 0.10 * crown)
    if kind == "beanie":
        thick = thick + 0.05 * smoothstep(0.36, 0.3, above)
    points = middle + away * (1 + thick / np.sqrt((away**2).sum(1)))[:, None]
    divided = cut(_cell_faces(len(points)), above)
    points, places, above = ((divided.mixing @ v).astype(F32) for v in (points, places, above[:, None]))
    points = confined(points)
    extra = np.concatenate([above, 0 * above], 1)
    parts.add(Surface(points, divided.faces, unit(points - middle)), Kind.HAT, places, extra)
    edge = _ring(points[divided.edge], middle)
    _add(parts, scalp, tube(edge, 0.03 if kind == "beanie" else 0.018, 8, closed=True))
    if kind == "cap":
        _brim(parts, scalp, edge, middle, reach=1.1, length=0.62)
    elif kind == "brimmed":
        _brim(parts, scalp, edge, middle, reach=np.pi, length=0.46)


def _skull(scalp: Scalp) -> tuple[Floats, Floats]:
    """Points and template places [N, 3] of the skin over which a hat goes, finer than the base mesh."""
    base = anatomy()
    quads = base.group("body")
    free = (base.template[quads][:, :, 1].min(1) > 7.35) & ~base.is_ear[quads].any(1)
    quads = quads[free & (base.masks["ears"][quads].max(1) < 0.3)]
    grid = np.arange(_CELLS + 1, dtype=F32) / _CELLS
    u, v = np.meshgrid(grid, grid, indexing="ij")
    shares = np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v], -1).reshape(-1, 4)
    points, places = (
        np.einsum("kc,qcd->qkd", shares, f[quads]).reshape(-1, 3) for f in (scalp.bust.points, base.template)
    )
    return points, places


def _cell_faces(count: int) -> np.ndarray:
    side = _CELLS + 1
    i, j = np.meshgrid(np.arange(_CELLS), np.arange(_CELLS), indexing="ij")
    first = np.arange(count // side**2)[:, None, None] * side**2
    corners = [(first + (i + a) * side + (j + b)).ravel() for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))]
    return triangles_of(np.stack(corners, -1))


def _ring(edge: Floats, middle: Floats, count: int = 72) -> Floats:
    """A smooth closed ring [count, 3] through edge points [N, 3], by angle: the first lies in front."""
    own = np.arctan2(edge[:, 0] - middle[0], edge[:, 2] - middle[2])
    ring = []
    for angle in np.linspace(0, 2 * np.pi, count, endpoint=False):
        away = np.abs((own - angle + np.pi) % (2 * np.pi) - np.pi)
        weight = np.exp(-0.5 * (away / 0.07) ** 2) + 1e-9
        ring.append((edge * weight[:, None]).sum(0) / weight.sum())
    return np.array(ring, F32)


def _brim(parts: Parts, scalp: Scalp, ring: Floats, middle: Floats, reach: float, length: float) -> None:
    """A brim from -reach to reach round the front; one that does not go all round is longest in front."""
    angle = np.linspace(-reach, reach, 64)
    around = np.linspace(0, 2 * np.pi, len(ring) + 1)
    start = np.stack([np.interp(angle % (2 * np.pi), around, np.r_[ring[:, k], ring[:1, k]]) for k in range(3)], 1)
    outwards = unit((start - middle) * np.array([1, 0, 1]))
    half = reach < np.pi
    far = length * np.cos(angle / reach * np.pi / 2) ** 0.6 if half else np.full(len(angle), length)
    s = np.linspace(0, 1, 10)
    drop = 0.10 * s**1.5 + (0.10 * np.sin(angle)[:, None] ** 2 * s if half else 0)
    grid = start[:, None] + outwards[:, None] * (far[:, None] * s)[..., None] - np.array([0, 1, 0]) * drop[..., None]
    for lift in (-0.012, 0.012):
        up = np.zeros_like(grid)
        up[..., 1] = np.sign(lift)
        _add(parts, scalp, sheet((grid + np.array([0, lift, 0])).astype(F32), up))


def _add(parts: Parts, scalp: Scalp, surface: Surface) -> None:
    points = confined(surface.points)
    extra = np.zeros((len(points), 2), F32)
    parts.add(surface._replace(points=points), Kind.HAT, points + scalp.bust.centre, extra)
