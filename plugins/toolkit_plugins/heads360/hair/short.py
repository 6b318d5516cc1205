"""Short styles: buzz, crop, swept back, parted, spiky, curls on top, balding, pixie."""

from __future__ import annotations

import numpy as np

from toolkit_plugins.heads360.geometry import F32, Floats, smoothstep, unit
from toolkit_plugins.heads360.hair.bunch import Bunch, Stylist, constant
from toolkit_plugins.heads360.hair.growth import Locks, grow


def buzz(s: Stylist) -> list[Bunch]:
    """Hair of a few millimetres, everywhere on the scalp."""
    length = np.full(s.count, s.between(0.03, 0.09, s.hair.length), F32)
    ahead = unit(s.roots.normals * 0.8 + s.random(0.25) + constant((0, -0.3, 0.1), s.count))
    guides = grow(s.scalp, s.roots.points, ahead, length, 3, lambda p, t, d: np.zeros_like(p), 0.005)
    return [Bunch(guides, Locks(width=0.0095, clump=0, wander=0.003), 14000, s.mask)]


def balding(s: Stylist) -> list[Bunch]:
    """A wreath round a bare crown."""
    length = s.uniform(0.9, 1.1) * F32(s.between(0.06, 0.26, s.hair.length))
    comb = constant((0, -1, -0.35), s.count)
    return [_combed(s, comb, length, rise=0.25, strands=9000)]


def crop(s: Stylist) -> list[Bunch]:
    """Short all over, a little messy, combed forward."""
    lean = 0.3 * s.hair.parting
    return [_topped(s, constant((lean, -0.1, 1), s.count), s.between(0.16, 0.42, s.hair.length), rise=0.35)]


def swept(s: Stylist) -> list[Bunch]:
    """Combed back, high or flat."""
    comb = constant((0.2 * s.hair.parting, 0.25, -1), s.count)
    rise = 0.15 + 0.75 * s.hair.volume
    return [_topped(s, comb, s.between(0.45, 0.95, s.hair.length), rise=rise, droop=0.1, lie=0.16)]


def parted(s: Stylist) -> list[Bunch]:
    """Combed to both sides of a parting."""
    sign = 1.0 if s.hair.parting > 0 else -1.0
    place = sign * (0.16 + 0.2 * abs(s.hair.parting))
    beyond = (s.roots.places[:, 0] - place) * sign > 0
    forward = s.between(-0.2, 0.45, s.hair.volume)
    comb = np.stack([np.where(beyond, 0.6 * sign, -sign), np.full(s.count, 0.1), np.full(s.count, forward)], 1)
    bunch = _topped(s, comb.astype(F32), s.between(0.45, 0.8, s.hair.length), rise=0.3, droop=0.24, lie=0.2,
                    split=place)  # fmt: skip
    return [bunch]


def spiky(s: Stylist) -> list[Bunch]:
    """Standing up on top."""
    comb = s.random(0.35) + s.roots.normals * F32(1.5) + constant((0, 0.5, 0.15), s.count)
    return [_topped(s, comb, s.between(0.25, 0.5, s.hair.length), rise=1.2, droop=-0.02, lie=0, clump=0.75)]


def pixie(s: Stylist) -> list[Bunch]:
    """Short, with a fringe swept across the forehead."""
    sign = 1.0 if s.hair.parting > 0 else -1.0
    front = smoothstep(0.7, 1.2, s.roots.places[:, 2])[:, None]
    back = constant((0, -0.9, -0.45), s.count)
    comb = front * constant((-0.75 * sign, -0.25, 0.75), s.count) + (1 - front) * back
    bunch = _topped(s, comb.astype(F32), s.between(0.5, 0.8, s.hair.length), rise=0.35, droop=0.2, lie=0.16,
                    sides=0.42)  # fmt: skip
    return [bunch]


def curly_top(s: Stylist) -> list[Bunch]:
    """Curls on top, short at the sides."""
    long = s.between(0.35, 0.8, s.hair.length)
    length = (long * s.top + 0.09 * (1 - s.top)) * s.uniform(0.9, 1.1)
    ahead = unit(s.roots.normals * F32(0.8) + s.random(0.4) + constant((0, 0.1, 0.15), s.count))
    curl = 0.03 + 0.03 * s.hair.curl

    def field(points: Floats, along: float, directions: Floats) -> Floats:
        return s.random(0.12) + np.array([0, -0.1, 0.04], F32)

    guides = grow(s.scalp, s.roots.points, ahead, length, 11, field, 0.05)
    locks = Locks(width=0.011, clump=0.75, curl=curl, turns=2 + 2.5 * s.african, frizz=0.5)
    return [Bunch(guides, locks, 11000, s.mask)]


def _topped(
    s: Stylist, comb: Floats, long: float, rise: float, droop: float = 0.07, lie: float = 0.1, clump: float = 0.4,
    split: float | None = None, sides: float | None = None,
) -> Bunch:  # fmt: skip
    """Hair of one length on top, combed there, and shorter at the sides, combed down."""
    short = s.between(0.06, 0.2, s.hair.tidiness) if sides is None else sides
    length = (long * s.top + short * (1 - s.top)) * s.uniform(0.85, 1.1)
    top = s.top[:, None]
    down = constant((0, -1, -0.35), s.count)
    return _combed(s, comb * top + down * (1 - top), length, rise, droop, lie, clump, split)


def _combed(
    s: Stylist, comb: Floats, length: Floats, rise: float, droop: float = 0.07, lie: float = 0.1, clump: float = 0.4,
    split: float | None = None, strands: int = 13000,
) -> Bunch:  # fmt: skip
    """Hair combed along directions [G, 3]; it rises first and then droops and lies down."""
    up = (s.roots.normals * F32(rise)) * (0.3 + 0.7 * s.top[:, None])
    ahead = unit(s.along_skin(comb) * F32(0.9) + up + s.random(0.08))
    steer = F32(0.22) * s.along_skin(comb)

    def field(points: Floats, along: float, directions: Floats) -> Floats:
        late = float(along > 0.2)
        fall = np.array([0, -0.05 - droop * late, 0], F32)
        return steer + s.random(0.05) + fall - F32(lie * late) * s.roots.normals

    side = None if split is None else (s.roots.places[:, 0] > split).astype(F32)
    lift = 0.02 + (0.03 + 0.05 * s.hair.volume) * s.top
    guides = grow(s.scalp, s.roots.points, ahead, length, 8, field, lift, side)
    curl = 0.022 * float(s.hair.curl > 0.55) * (0.5 + s.hair.curl)
    locks = Locks(width=0.0105, clump=clump, wander=0.012 + 0.02 * (1 - s.hair.tidiness), curl=curl, turns=3,
                  shortest=0.7)  # fmt: skip
    side_of = None if split is None else lambda places: (places[:, 0] > split).astype(F32)
    return Bunch(guides, locks, strands, s.mask, side_of=side_of)
