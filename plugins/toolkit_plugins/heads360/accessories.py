"""Glasses, scarves and earrings as triangles."""

from __future__ import annotations

import numpy as np

from toolkit_plugins.heads360.anatomy import anatomy
from toolkit_plugins.heads360.geometry import (
    F32,
    Floats,
    sphere,
    tube,
)
from toolkit_plugins.heads360.parts import Kind, Parts
from toolkit_plugins.heads360.person import Dress
from toolkit_plugins.heads360.shaping import Bust, confined

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
