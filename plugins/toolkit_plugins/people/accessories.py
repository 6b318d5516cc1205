"""Glasses, hats, scarves and earrings as triangles."""

from __future__ import annotations

import numpy as np

from toolkit_plugins.people.anatomy import anatomy
from toolkit_plugins.people.geometry import (
    F32,
    Floats,
    Ints,
    Mask,
    Surface,
    sheet,
    smoothstep,
    sphere,
    triangles_of,
    tube,
    unit,
)
from toolkit_plugins.people.hair.scalp import Scalp
from toolkit_plugins.people.parts import Kind, Parts
from toolkit_plugins.people.person import Dress
from toolkit_plugins.people.shaping import Bust, confined

HATS = ("none", "beanie", "cap", "band", "brimmed")
FRAME_COLOURS = np.array(
    [(0.012, 0.012, 0.014), (0.10, 0.045, 0.02), (0.3, 0.29, 0.28), (0.35, 0.24, 0.1), (0.2, 0.02, 0.03),
     (0.02, 0.04, 0.12)], F32)  # fmt: skip


def frame_colour(dress: Dress) -> Floats:
    """Colour [3] of the frames."""
    return np.asarray(FRAME_COLOURS[int(dress.glasses_shape[3] * 0.999 * len(FRAME_COLOURS))])


def add_glasses(parts: Parts, bust: Bust, dress: Dress) -> None:
    """Two rims, a bridge and the bows over the ears."""
    if dress.glasses == "none":
        return
    base = anatomy()
    wide, high, square, _ = dress.glasses_shape
    radius = 0.0075 if dress.glasses == "thin" else 0.014 + 0.010 * high
    half_width, half_height, power = 0.22 + 0.06 * wide, 0.155 + 0.075 * high, 2 + 3 * square
    x, y = np.abs(base.template[:, 0]), base.template[:, 1]
    around = base.is_body & (x < 0.5) & (x > 0.16) & (np.abs(y - 7.25) < 0.28)
    eyes = [bust.points[base.vertices_of(f"helper-{side}-eye")] for side in "lr"]
    front = max(float(bust.points[around][:, 2].max()) + 0.02, float(eyes[0][:, 2].max()) + 0.10)
    angle = np.linspace(0, 2 * np.pi, 56, endpoint=False)
    middles = []
    for eye, sign in zip(eyes, (1, -1), strict=True):
        middle = np.array([eye[:, 0].mean() + 0.03 * sign, eye[:, 1].mean() - 0.03, front])
        middles.append(middle)
        cos, sin = np.cos(angle), np.sin(angle)
        outer = 0.10 * cos**2 * (sign * cos > 0)
        rounded = [np.sign(f) * np.abs(f) ** (2 / power) for f in (cos, sin)]
        rim = middle + np.stack([half_width * rounded[0], half_height * rounded[1], -outer], 1)
        parts.add(tube(rim, radius, 8, closed=True, up=(0, 0, 1)), Kind.FRAME)
        ear = bust.points[base.is_ear & (np.sign(base.template[:, 0]) == sign)]
        rest = ear[ear[:, 1].argmax()] + np.array([0.02 * sign, -0.03, 0])
        start = middle + np.array([sign * half_width, 0.06, -0.09])
        bend = np.array([max(abs(rest[0]), abs(start[0]) + 0.02) * sign, rest[1] + 0.03, (rest[2] + start[2]) / 2])
        t = np.linspace(0, 1, 14)[:, None]
        parts.add(tube((1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * rest, radius * 1.05, 6), Kind.FRAME)
    t = np.linspace(0, 1, 9)[:, None]
    ends = middles[0] + np.array([-half_width, 0.03, 0]), middles[1] + np.array([half_width, 0.03, 0])
    bow = np.array([0, 0.04, 0.03]) * np.sin(np.pi * t)
    parts.add(tube(ends[0] * (1 - t) + ends[1] * t + bow, radius, 6), Kind.FRAME)


def add_earrings(parts: Parts, bust: Bust, kind: str, size: float) -> None:
    """Studs or hoops below the ear lobes; `size` in 0..1."""
    if kind == "none":
        return
    base = anatomy()
    for sign in (1, -1):
        lobe = base.is_ear & (np.sign(base.template[:, 0]) == sign) & (base.template[:, 1] < 6.95)
        if not lobe.any():
            continue
        points = bust.points[lobe]
        at = points[points[:, 1].argmin()] + np.array([0.02 * sign, 0.02, 0.02])
        if kind == "studs":
            parts.add(sphere(at, 0.025 + 0.012 * size, 12, 9), Kind.METAL)
            continue
        angle, radius = np.linspace(0, 2 * np.pi, 24, endpoint=False), 0.06 + 0.09 * size
        ring = np.stack([0 * angle, radius * np.cos(angle) - radius, radius * np.sin(angle)], 1)
        parts.add(tube(at + ring, 0.011, 6, closed=True, up=(1, 0, 0)), Kind.METAL)


def hat_line(kind: str, z: Floats) -> Floats:
    """Template height [...] of a hat's lower edge."""
    rise, tilt = {"beanie": (7.62, 0.10), "cap": (7.68, 0.12), "brimmed": (7.70, 0.10)}.get(kind, (7.74, 0.14))
    return np.asarray(rise + tilt * (z - 0.2), F32)


def add_hat(parts: Parts, scalp: Scalp, kind: str) -> None:
    """A beanie, a cap, a head band or a hat with a brim."""
    if kind == "none":
        return
    base, bust, cells = anatomy(), scalp.bust, 4
    quads = base.group("body")
    quads = quads[(base.template[quads][:, :, 1].min(1) > 7.4) & ~base.is_ear[quads].any(1)
                  & (base.masks["ears"][quads].max(1) < 0.3)]  # fmt: skip
    grid = np.arange(cells + 1, dtype=F32) / cells
    u, v = np.meshgrid(grid, grid, indexing="ij")
    shares = np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v], -1).reshape(-1, 4)
    points, places = (np.einsum("kc,qcd->qkd", shares, values[quads]) for values in (bust.points, base.template))
    middle = scalp.at_place((0.0, 7.6, 0.2))
    away = points - middle
    radius = np.linalg.norm(away, axis=-1, keepdims=True)
    crown = smoothstep(7.7, 8.4, places[..., 1:2])
    thick = {"band": 0.1 + 0 * crown, "beanie": 0.15 + 0.15 * crown, "brimmed": 0.16 + 0.2 * crown}.get(
        kind, 0.15 + 0.10 * crown
    )
    above = places[..., 1] - hat_line(kind, places[..., 2])
    if kind == "beanie":
        thick = thick + 0.05 * smoothstep(0.36, 0.3, above)[..., None]
    points = middle + away * (1 + thick / radius)
    keep = (above > 0) & ((above < 0.32) if kind == "band" else True)
    faces = _cells(keep, len(quads), cells)
    extra = np.stack([above.ravel(), np.zeros(above.size)], 1).astype(F32)
    flat = confined(points.reshape(-1, 3))
    parts.add(Surface(flat, faces, unit(flat - middle)), Kind.HAT, places.reshape(-1, 3).astype(F32), extra)
    if kind == "cap":
        _visor(parts, middle, 1.05, 0.66, 0.0)
    elif kind == "brimmed":
        _visor(parts, middle, np.pi, 0.5, 0.35)


def _visor(parts: Parts, middle: Floats, reach: float, length: float, even: float) -> None:
    """A brim from -reach to reach round the front; `even` 0: longest in front, 1: the same all round."""
    angle, s = np.linspace(-reach, reach, 48)[:, None], np.linspace(0, 1, 12)[None]
    x, z = 0.86 * np.sin(angle), 1.33 * np.cos(angle)
    out = length * (even + (1 - even) * np.cos(np.clip(angle * 0.9, -1.57, 1.57))) * s - 0.05
    far = np.sqrt(x**2 + z**2)
    grid = np.stack([x * (1 + out / far), 0.15 - 0.16 * s**1.4 - 0.14 * (x / 0.86) ** 2 * (reach < 2) + 0 * z,
                     z * (1 + out / far)], -1)  # fmt: skip
    points = (grid + middle).astype(F32)
    for lift in (0.0, 0.025):
        layer = sheet(
            points + np.array([0, lift, 0], F32),
            np.tile(np.array([0, 2 * (lift > 0) - 1, 0], F32), (*points.shape[:2], 1)),
        )
        extra = np.tile(np.array([1.0, 1.0], F32), (len(layer.points), 1))
        parts.add(
            layer._replace(points=confined(layer.points)), Kind.HAT, layer.points + np.array([0, 7, 0], F32), extra
        )


def add_scarf(parts: Parts, bust: Bust, rng: np.random.Generator) -> None:
    """A scarf wound twice round the neck."""
    neck = bust.points[anatomy().vertices_of("joint-neck")].mean(0)
    angle = np.linspace(0, 4 * np.pi, 120)
    drop = np.cos(angle)
    ring = np.stack([0.72 * np.sin(angle), 0.02 - 0.17 * drop + 0.12 * np.sin(angle / 2 + 0.5), 0.18 + 0.74 * drop], 1)
    path = neck + ring + np.array([0, -0.06, 0.02])
    radius = 0.2 + 0.03 * np.sin(angle * 2.7 + rng.uniform(0, 6))
    roll = tube(path, radius, 16)
    parts.add(roll._replace(points=confined(roll.points)), Kind.SCARF, roll.points + bust.centre)


def _cells(keep: Mask, quads: int, cells: int) -> Ints:
    side = cells + 1
    inside = keep.reshape(quads, side, side)
    cell = inside[:, :-1, :-1] & inside[:, 1:, 1:]
    i, j = np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij")
    first = np.arange(quads)[:, None, None] * side**2
    corners = [(first + (i + a) * side + (j + b))[cell] for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))]
    return triangles_of(np.stack(corners, -1))
