"""Tied styles: bun, pony tail, two braids."""

from __future__ import annotations

import numpy as np

from toolkit_plugins.heads360.geometry import F32, Floats, dot, unit
from toolkit_plugins.heads360.hair.bunch import Bunch, Stylist
from toolkit_plugins.heads360.hair.growth import Guides, Locks, grow
from toolkit_plugins.heads360.shaping import FLOOR


def bun(s: Stylist) -> list[Bunch]:
    """Combed to a ball of hair at the back of the head."""
    tie, out = _tie(s, s.between(7.3, 8.15, s.hair.length), 0.0)
    radius, count = s.between(0.2, 0.34, s.hair.volume), 240
    middle = tie + out * F32(radius * 0.8)
    start = unit(s.rng.normal(size=(count, 3)))
    around = unit(np.cross(start, out + s.rng.normal(0, 0.5, (count, 3))))
    angle = np.linspace(0, 2.2, 12, dtype=F32)[None, :, None]
    ring = start[:, None] * np.cos(angle) + around[:, None] * np.sin(angle)
    depth = s.rng.uniform(0.75, 1.02, (count, 1, 1)).astype(F32)
    guides = Guides(np.asarray(middle + radius * depth * ring, F32), ring.astype(F32), np.zeros(count, F32))
    ball = Bunch(guides, Locks(width=0.014, clump=0.2, wander=0.012), 2600, spread=0.025)
    return [_combed_to(s, [(tie, out)]), ball]


def pony_tail(s: Stylist) -> list[Bunch]:
    """Combed to a tail at the back of the head."""
    tie, out = _tie(s, s.between(7.25, 8.1, s.hair.volume), 0.0)
    tail = _tail(s, tie, out, s.between(0.9, 2.4, s.hair.length), 0.05)
    return [_combed_to(s, [(tie, out)]), tail]


def braids(s: Stylist) -> list[Bunch]:
    """A parting down to the neck and a plait behind each ear, hanging over the shoulders."""
    bunches, ties = [], []
    for sign in (1.0, -1.0):
        tie, out = _tie(s, 6.85, 0.62 * sign)
        ties.append((tie, out))
        bunches.append(_plait(s, tie, sign, s.between(1.0, 1.9, s.hair.length)))
    return [_combed_to(s, ties), *bunches]


def _tie(s: Stylist, height: float, beside: float) -> tuple[Floats, Floats]:
    """Where hair is gathered, just off the skin at the back of the head, and the direction away from it."""
    deep = s.scalp.at_place((beside, height, -0.6))
    base = s.scalp.points
    near = (np.abs(base[:, 0] - deep[0]) < 0.15) & (np.abs(base[:, 1] - deep[1]) < 0.15)
    index = np.nonzero(near)[0][base[near][:, 2].argmin()] if near.any() else int(s.scalp.tree.query(deep)[1])
    point, normal = base[index], s.scalp.normals[index]
    point = point + normal * F32(0.07)
    if not beside:
        point = point * np.array([0.3, 1, 1], F32)
    return point.astype(F32), unit(normal + np.array([0, 0.1, -0.1], F32))


def _combed_to(s: Stylist, ties: list[tuple[Floats, Floats]]) -> Bunch:
    """Hair combed close to the head, towards the nearest tie."""
    points = np.stack([tie for tie, _ in ties])
    owner = np.zeros(s.count, np.int64) if len(ties) == 1 else (s.roots.places[:, 0] < 0).astype(np.int64)
    goal = points[owner]
    away = goal - s.roots.points
    reach = np.sqrt(dot(away, away))
    ahead = unit(s.along_skin(away) + s.roots.normals * F32(0.15 + 0.2 * s.hair.volume) + s.random(0.03))

    def field(at: Floats, along: float, directions: Floats) -> Floats:
        left = goal - at
        return np.asarray(1.2 * left / np.maximum(np.sqrt(dot(left, left)), 0.08)[:, None], F32)

    lift = s.uniform(0.02, 0.035 + 0.05 * s.hair.volume)
    guides = grow(s.scalp, s.roots.points, ahead, reach * F32(1.25) + F32(0.1), 12, field, lift, owner.astype(F32))
    gathered = guides.points
    for step in range(1, gathered.shape[1]):
        left = gathered[:, step] - goal
        close = np.sqrt(dot(left, left)) < 0.12
        gathered[:, step] = np.where(close[:, None], goal + left * F32(0.7), gathered[:, step])
    locks = Locks(width=0.0115, clump=0.25, wander=0.01)
    side_of = None if len(ties) == 1 else lambda places: (places[:, 0] < 0).astype(F32)
    return Bunch(guides, locks, 9000, s.mask, side_of=side_of)


def _tail(s: Stylist, tie: Floats, out: Floats, length: float, thickness: float) -> Bunch:
    count = 170
    start = (tie + out * F32(0.05) + s.rng.normal(0, thickness, (count, 3))).astype(F32)
    ahead = unit(out + s.rng.normal(0, 0.2, (count, 3)) + np.array([0, 0.15, 0]))
    room = np.full(count, min(length, 0.9 * (float(tie[1]) - FLOOR)), F32)

    def field(points: Floats, along: float, directions: Floats) -> Floats:
        return (np.array([0, -0.28 - 0.2 * along, 0]) + s.rng.normal(0, 0.03, points.shape)).astype(F32)

    guides = grow(s.scalp, start, ahead, room, 13, field, 0.06)
    curl = 0.035 if s.hair.curl > 0.5 else 0.0
    return Bunch(guides, Locks(width=0.013, clump=0.2, wander=0.02, curl=curl, turns=2.5), 2800, spread=0.02)


def _plait(s: Stylist, tie: Floats, sign: float, length: float) -> Bunch:
    """Three strands of hair that weave round a hanging path."""
    steps, each = 26, 40
    t = np.linspace(0, 1, steps, dtype=F32)
    path = [tie]
    heading = np.array([0.5 * sign, -0.5, 0.45], F32)
    for _ in range(steps - 1):
        heading = unit(heading + np.array([0, -0.4, 0.04], F32))
        moved, _normal = s.scalp.pushed_out((path[-1] + heading * F32(length / steps))[None], 0.10)
        path.append(moved[0].astype(F32))
    middle = np.stack(path)
    across = np.array([1.0, 0, 0.25 * sign], F32)
    ahead = np.array([0.0, 0, 1], F32)
    curves, owners = [], []
    for strand in range(3):
        angle = t * F32(6.28 * length / 0.42) + F32(strand * 2.094)
        weave = (np.sin(angle) * 0.06)[:, None] * across + (np.sin(2 * angle) * 0.03)[:, None] * ahead
        thin = (0.032 * (1 - 0.5 * t) * (t < 0.93) + 0.045 * (t >= 0.93))[None, :, None]
        offset = unit(s.rng.normal(size=(each, 1, 3))) * s.rng.uniform(0.3, 1, (each, 1, 1)).astype(F32)
        curves.append(middle + weave * (1 - 0.6 * t)[:, None] + offset * thin)
        owners.append(offset + 0 * thin)
    points = np.concatenate(curves).astype(F32)
    guides = Guides(points, unit(np.concatenate(owners) + np.array([0, 0, 0.2])), np.zeros(len(points), F32))
    return Bunch(guides, Locks(width=0.014, clump=0.0, wander=0.006, shortest=0.95), 700, spread=0.012)
