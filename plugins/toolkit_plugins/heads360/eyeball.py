"""An eyeball: a sphere that looks somewhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from toolkit_plugins.heads360.anatomy import anatomy
from toolkit_plugins.heads360.geometry import F32, Floats, sphere, unit
from toolkit_plugins.heads360.parts import Kind, Parts
from toolkit_plugins.heads360.shaping import Bust


class Eye(NamedTuple):
    """One eyeball: where it is, where it looks, and which vertices are its own."""

    centre: Floats
    """[3]."""
    radius: float
    gaze: Floats
    """[3], unit."""
    vertices: slice


def add_eye(parts: Parts, bust: Bust, side: str, gaze: tuple[float, float]) -> Eye:
    """The sphere that fits MakeHuman's eyeball of a side (`l` or `r`) best."""
    sign = 1 if side == "l" else -1
    points = bust.points[anatomy().vertices_of(f"helper-{side}-eye")].astype(np.float64)
    system = np.c_[2 * points, np.ones(len(points))]
    fit = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0]
    centre, radius = fit[:3].astype(F32), float(np.sqrt(fit[3] + (fit[:3] ** 2).sum()))
    inwards, up = gaze[0] - 0.03 * sign, gaze[1]
    ahead = bust.turn @ unit(np.array([np.sin(inwards), np.sin(up), np.cos(inwards)]))
    ball = sphere(centre, radius, 20, 14)
    return Eye(centre, radius, ahead.astype(F32), parts.add(ball, Kind.EYE, ball.normals))
