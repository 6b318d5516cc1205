"""Guides grow step by step and keep out of the skull; children follow their nearest guides and become ribbons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from toolkit_plugins.heads360.geometry import F32, Floats, Ints, Surface, smoothstep, triangles_of, unit
from toolkit_plugins.heads360.hair.scalp import Scalp
from toolkit_plugins.heads360.shaping import confined

Field = Callable[[Floats, float, Floats], Floats]
"""What bends guides: points [N, 3], place along 0..1, directions [N, 3] -> change of direction [N, 3]."""


@dataclass(frozen=True)
class Guides:
    """Curves that strands follow."""

    points: Floats
    """[G, K, 3]."""
    normals: Floats
    """[G, K, 3], away from the head."""
    side: Floats
    """[G], strands follow guides of their own side only."""


@dataclass(frozen=True)
class Locks:
    """How children follow guides."""

    width: float = 0.012
    """Of a strand, decimetres."""
    clump: float = 0.4
    """0: parallel to the guide, 1: meeting it at the tip."""
    wander: float = 0.02
    """Decimetres."""
    curl: float = 0.0
    """Radius of curls, decimetres."""
    turns: float = 5.0
    """Curls along a strand."""
    alone: float = 0.35
    """Spread of the curls' phase within a lock, radians: 0.35 curls together, 3 each strand alone."""
    shortest: float = 0.8
    """Length of the shortest strands, 1 = the guide's."""
    frizz: float = 0.35
    """How much the strands' normals differ."""


def grow(
    scalp: Scalp, start: Floats, ahead: Floats, length: Floats, steps: int, field: Field, lift: Floats | float,
    side: Floats | None = None,
) -> Guides:  # fmt: skip
    """Grow guides from points [G, 3] in directions [G, 3].

    Args:
        scalp: What guides keep out of.
        start: [G, 3].
        ahead: [G, 3].
        length: [G] decimetres.
        steps: Points on each guide.
        field: Bends them.
        lift: Height above the skin that a guide reaches, [G] or a number.
        side: See `Guides.side`.
    """
    points, directions = [start], unit(ahead)
    normals: list[Floats] = []
    stride = (length / (steps - 1)).astype(F32)[:, None]
    for step in range(1, steps):
        along = step / (steps - 1)
        directions = unit(directions + field(points[-1], along, directions))
        height = np.minimum(lift, 0.012 + along * 6 * np.asarray(lift))
        moved, normal = scalp.pushed_out(points[-1] + directions * stride, height)
        directions = unit(moved - points[-1])
        points.append(moved.astype(F32))
        normals.append(normal)
    sides = np.zeros(len(start), F32) if side is None else side.astype(F32)
    return Guides(np.stack(points, 1), np.stack([normals[0], *normals], 1).astype(F32), sides)


def children(
    rng: np.random.Generator, guides: Guides, roots: Floats, side: Floats, locks: Locks
) -> tuple[Floats, Ints]:
    """Strands [N, K, 3] from roots [N, 3] of a side [N], and the guide [N] that each follows."""
    start = guides.points[:, 0]
    keyed = np.c_[start, 5 * guides.side], np.c_[roots, 5 * side]
    _, owner = cKDTree(keyed[0]).query(keyed[1])
    count, steps = len(roots), guides.points.shape[1]
    t = np.linspace(0, 1, steps, dtype=F32)[None, :, None]
    away = (roots - start[owner])[:, None]
    strands = guides.points[owner] + away * (1 - F32(locks.clump) * smoothstep(0, 1, t))
    phase = rng.random((count, 1, 3), F32) * F32(6.28)
    pace = rng.uniform(2, 6, (count, 1, 1)).astype(F32)
    strands = strands + F32(locks.wander) * smoothstep(0, 0.3, t) * np.sin(t * pace + phase)
    if locks.curl:
        strands = strands + _curls(rng, len(start), owner, t, locks)
    return _shortened(strands, rng.uniform(locks.shortest, 1, count).astype(F32)), owner


def ribbons(
    rng: np.random.Generator, strands: Floats, normals: Floats, width: Floats | float, tone: Floats,
    keep: Floats | None = None,
) -> tuple[Surface, Floats, Floats]:  # fmt: skip
    """Flat ribbons along strands.

    Args:
        rng: Of widths and of the ribbons' turn.
        strands: [N, K, 3].
        normals: [N, K, 3].
        width: A number or [N].
        tone: [N], a random number of each strand.
        keep: [N, K] above 0.5 where there is a strand; nothing grows beyond the first gap.

    Returns:
        The ribbons, their tangents [V, 3], and place along and tone [V, 2].
    """
    count, steps = strands.shape[:2]
    strands = confined(strands)
    tangent = unit(np.gradient(strands, axis=1))
    across = unit(np.cross(tangent, normals))
    t = np.linspace(0, 1, steps, dtype=F32)[None]
    breadth = np.asarray(width, F32) * rng.uniform(0.6, 1.3, (count,)).astype(F32)
    half = (breadth[:, None] * (1 - 0.75 * smoothstep(0.5, 1, t)) / 2)[..., None] * across
    points = np.stack([strands - half, strands + half], 2)
    corner = np.arange(count)[:, None] * (2 * steps) + 2 * np.arange(steps - 1)
    quads = np.stack([corner, corner + 1, corner + 3, corner + 2], -1)
    if keep is not None:
        grows = np.minimum.accumulate(keep > 0.5, axis=1)[:, 1:]
        quads = quads[grows]
    bulge = np.stack([normals - 0.6 * across, normals + 0.6 * across], 2)
    extra = np.empty((count, steps, 2, 2), F32)
    extra[..., 0], extra[..., 1] = t[..., None], tone[:, None, None]
    both = np.repeat(tangent[:, :, None], 2, 2).reshape(-1, 3)
    surface = Surface(points.reshape(-1, 3), triangles_of(quads.reshape(-1, 4)), unit(bulge).reshape(-1, 3))
    return surface, both, extra.reshape(-1, 2)


def _curls(rng: np.random.Generator, guides: int, owner: Ints, t: Floats, locks: Locks) -> Floats:
    count = len(owner)
    phase = rng.random((guides, 1, 3))[owner] * 6.28 + rng.normal(0, locks.alone, (count, 1, 3))
    turns = locks.turns * (1 + 0.15 * rng.normal(size=(guides, 1, 1)))[owner]
    wave = np.sin(t * turns * 6.28 + phase + np.array([0, 1.57, 3.1]))
    return np.asarray(locks.curl * smoothstep(0, 0.25, t) * wave, F32)


def _shortened(strands: Floats, share: Floats) -> Floats:
    """Strands cut to a share [N] of their length, with as many points."""
    count, steps = strands.shape[:2]
    place = np.linspace(0, 1, steps, dtype=F32)[None] * share[:, None] * (steps - 1)
    low = np.clip(place.astype(np.int64), 0, steps - 2)
    part, row = (place - low)[..., None].astype(F32), np.arange(count)[:, None]
    return np.asarray(strands[row, low] * (1 - part) + strands[row, low + 1] * part)
