"""Long styles: bob, long, with a fringe, wavy, curls, afro."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolkit_plugins.heads360.geometry import F32, Floats, smoothstep, unit
from toolkit_plugins.heads360.hair.bunch import Bunch, Stylist, constant
from toolkit_plugins.heads360.hair.growth import Field, Locks, grow

_FRINGE_LENGTH = (0.62, 0.8)
_BESIDE_FACE = 0.68
"""|x| beyond which hanging hair leaves the face free, decimetres."""


def bob(s: Stylist) -> list[Bunch]:
    """Cut straight between ear and shoulder."""
    end = s.between(6.75, 6.15, s.hair.length)
    return _hanging(s, end, fringe=s.hair.parting > 0.35, wave=0.5 * s.hair.curl, cut=s.hair.tidiness > 0.35)


def long(s: Stylist) -> list[Bunch]:
    """Straight, over the shoulders."""
    return _hanging(s, s.between(5.9, 4.7, s.hair.length), fringe=False, wave=0.35 * s.hair.curl)


def long_fringe(s: Stylist) -> list[Bunch]:
    """Long with a fringe down to the brows."""
    return _hanging(s, s.between(6.0, 4.9, s.hair.length), fringe=True, wave=0.6 * s.hair.curl)


def wavy(s: Stylist) -> list[Bunch]:
    """Long wavy hair, to the chin or to the shoulders."""
    return _hanging(s, s.between(6.2, 4.8, s.hair.length), fringe=s.hair.parting > 0.6, wave=0.75 + 0.8 * s.hair.curl)


def curls(s: Stylist) -> list[Bunch]:
    """Loose curls round the head."""
    high, low = s.between(0.6, 1.0, s.hair.volume), s.between(0.4, 1.1, s.hair.length)
    length = (high * s.top + low * (1 - s.top)) * s.uniform(0.9, 1.1)
    length = length * (1 - 0.55 * smoothstep(0.75, 1.15, s.roots.places[:, 2]))
    ahead = unit(s.roots.normals * F32(0.75) + s.random(0.35) + constant((0, 0.1, 0), s.count))

    def field(points: Floats, along: float, directions: Floats) -> Floats:
        return s.random(0.1) + np.array([0, -0.15, 0], F32)

    guides = grow(s.scalp, s.roots.points, ahead, length.astype(F32), 16, field, 0.06)
    locks = Locks(width=0.011, clump=0.8, curl=0.04 + 0.03 * s.hair.curl, turns=2 + 2 * s.hair.curl, frizz=0.5)
    return [Bunch(guides, locks, 9500, s.mask)]


def afro(s: Stylist) -> list[Bunch]:
    """Coils that stand out evenly: a round, soft outline."""
    reach = s.between(0.16, 0.62, s.hair.length)
    length = (1.25 * reach * s.uniform(0.96, 1.04) * (1 - 0.3 * smoothstep(7.3, 6.9, s.roots.places[:, 1]))).astype(F32)
    ahead = unit(s.roots.normals + s.random(0.06) + constant((0, 0.2, 0), s.count))

    def field(points: Floats, along: float, directions: Floats) -> Floats:
        return s.random(0.05)

    guides = grow(s.scalp, s.roots.points, ahead, length, 12, field, 0.02)
    locks = Locks(
        width=0.0125, clump=0.0, wander=0.03, curl=0.03, turns=4 + 9 * reach, alone=1.6, shortest=0.8, frizz=0.7
    )
    return [Bunch(guides, locks, 15000, s.mask)]


def _hanging(s: Stylist, end: float, fringe: bool, wave: float, cut: bool = False) -> list[Bunch]:
    """Hair that falls from a parting to a height `end` (template), beside the face and behind the shoulders."""
    parting = 0.32 * s.hair.parting if abs(s.hair.parting) > 0.3 else 0.0
    x, y, z = s.roots.places.T
    front = _in_fringe(s.roots.places) if fringe else np.zeros(s.count, bool)
    sign = np.where(np.abs(x - parting) < 0.04, s.rng.choice([-1, 1], s.count), np.sign(x - parting)).astype(F32)
    back = smoothstep(0.5, -0.3, z)
    comb = np.stack([sign * (1 - 0.9 * back) * 0.9, -0.15 - 0.9 * back, -0.3 - 0.4 * smoothstep(0.4, 1.2, z)], 1)
    comb = np.where(front[:, None], np.stack([0.3 * x, 0 * x, 1 + 0 * x], 1), comb).astype(F32)
    rise = (0.15 + 0.5 * s.hair.volume) * (0.5 + 0.6 * s.top[:, None])
    ahead = unit(s.along_skin(comb) * F32(0.75) + s.roots.normals * rise + s.random(0.05))
    length = np.clip(y - end + 0.85 * s.top, 0.35, 4.6)
    length = np.where(front, s.uniform(*_FRINGE_LENGTH), length).astype(F32)
    field = _fall(s, sign, front)
    side = (x > parting) * 1.0 + 2.0 * front
    steps = int(np.clip(6 + 3.2 * float(length.max()), 10, 18))
    lift = s.uniform(0.02, 0.05 + 0.09 * s.hair.volume)
    guides = grow(s.scalp, s.roots.points, ahead, length, steps, field, lift, side)
    curl = 0.05 * min(1.3, wave) if wave > 0.2 else 0.0
    locks = Locks(width=0.0125, clump=0.3 + 0.25 * wave, curl=curl, turns=1.2 + 1.1 * float(length.max()) * wave)
    edge = end - s.scalp.bust.centre[1]

    def below(points: Floats) -> Floats:
        return (points[..., 1] > edge + s.rng.normal(0, 0.025, len(points))[:, None]).astype(F32)

    def side_of(places: Floats) -> Floats:
        inside = _in_fringe(places) if fringe else np.zeros(len(places), bool)
        return ((places[:, 0] > parting) * 1.0 + 2.0 * inside).astype(F32)

    return [Bunch(guides, locks, 9000, s.mask, keep=below if cut else None, side_of=side_of)]


def _fall(s: Stylist, sign: Floats, front: NDArray[np.bool_]) -> Field:
    """Gravity, with the face kept free and the ends kept near the neck."""
    flare = s.rng.uniform(0, 0.05)
    behind = s.uniform(0, 1) < (0.5 if s.rng.random() < 0.5 else 1.0)

    def field(points: Floats, along: float, directions: Floats) -> Floats:
        place = s.template(points)
        width = np.abs(place[:, 0])
        outwards = np.where(width < 0.05, sign, np.sign(place[:, 0]))
        face = (place[:, 2] > 0.72) & (place[:, 1] < 7.95) & ~front
        change = -0.35 * (1 - along) * directions
        change[:, 1] -= 0.75
        change[:, 0] += outwards * face * np.clip(_BESIDE_FACE + 0.1 - width, 0, 0.5) * 3
        change[:, 2] -= 0.3 * face
        change[:, 0] += flare * outwards * (place[:, 1] < 6.9)
        change[:, 0] -= 0.9 * outwards * np.clip(width - 1.0, 0, 1) * (place[:, 1] < 7.6)
        change[:, 2] -= 0.25 * ((place[:, 1] < 6.55) & (place[:, 2] > 0.1) & behind & ~front)
        return (change + s.random(0.02)).astype(F32)

    return field


def _in_fringe(places: Floats) -> NDArray[np.bool_]:
    x, y, z = np.abs(places[:, 0]), places[:, 1], places[:, 2]
    return np.asarray((z > 0.98) & (x < 0.5) & (y > 7.88))
