"""A person as visible traits in numbers: where the surface lies, which hair and clothes, which colours.

A latent says most of this in a roundabout way: a hair style is the largest of eighteen numbers, shifted by gender and
age. Who learns from people learns faster from what the latent amounts to.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from toolkit_plugins.heads360 import population
from toolkit_plugins.heads360.anatomy import anatomy
from toolkit_plugins.heads360.geometry import F32, Floats
from toolkit_plugins.heads360.person import Dress, Hair, Person, Skin
from toolkit_plugins.heads360.shaping import bust_of

_SURFACE_WEIGHT = 15.0
"""Per decimetre: makes the strongest change of shape (weight, lean) weigh as much as a choice does."""
_EVERY = 3
_FACE_WEIGHT = 2.0


def traits_of(person: Person) -> Floats:
    """All traits [T]; equal distances look about equally different."""
    return np.concatenate([_surface(person), _hair(person.hair), _skin(person), _dress(person.dress)]).astype(F32)


def _surface(person: Person) -> Floats:
    rows, weights = _seen_vertices()
    return np.asarray(bust_of(person).points[rows] * weights[:, None], F32).ravel()


@lru_cache(maxsize=1)
def _seen_vertices() -> tuple[NDArray[np.int64], Floats]:
    """Every third vertex of the skin and its weight: the face counts more, and all together as one."""
    base = anatomy()
    x, y, z = (base.template - base.template[base.vertices_of("joint-head")].mean(0)).T
    rows = np.flatnonzero(base.is_body & (y > -2.2) & (abs(x) < 1.8))[::_EVERY]
    in_face = (z > 0) & (abs(x) < 0.9) & (abs(y) < 1.2)
    weights = np.where(in_face[rows], _FACE_WEIGHT, 1.0) * _SURFACE_WEIGHT / np.sqrt(len(rows))
    return rows, weights.astype(F32)


def _hair(hair: Hair) -> Floats:
    amounts = (hair.length, hair.volume, hair.curl, 0.5 * hair.parting, hair.recession, 0.5 * hair.tidiness, hair.grey)
    brows = (hair.brow_thickness, hair.brow_density, 0.5 * hair.brow_arch)
    style = _chosen(population.HAIR_STYLES, hair.style)
    worn = hair.beard != "none"
    return np.concatenate([
        1.5 * style, style * (hair.length - 0.5), amounts, brows, _chosen(population.BEARDS, hair.beard),
        (worn * hair.beard_length, worn * hair.beard_density), _shown(hair.colour, hair.grey),
    ])  # fmt: skip


def _skin(person: Person) -> Floats:
    skin: Skin = person.skin
    tone = (2 * skin.melanin**0.5, skin.blood, 3 * skin.yellow)
    amounts = (skin.freckles, 0.5 * skin.moles, skin.wrinkles, 0.5 * skin.blemishes, 0.3 * skin.shine)
    return np.concatenate([tone, amounts, skin.lipstick * _shown(skin.lip_colour), [skin.lipstick],
                           0.7 * _shown(person.iris), person.expression.gaze, [person.expression.teeth]])  # fmt: skip


def _dress(dress: Dress) -> Floats:
    patterned = dress.pattern != "plain"
    glasses = np.asarray(dress.glasses_shape) - 0.5
    return np.concatenate([
        _chosen(population.CLOTHES, dress.cloth), 0.7 * _chosen(population.PATTERNS, dress.pattern),
        1.5 * _shown(dress.colours[0]), patterned * _shown(dress.colours[1]),
        1.5 * _chosen(population.GLASSES, dress.glasses), (dress.glasses != "none") * glasses,
        0.5 * _chosen(population.EARRINGS, dress.earrings),
    ])  # fmt: skip


def _chosen(names: Sequence[str], name: str) -> Floats:
    return np.asarray([float(each == name) for each in names], F32)


def _shown(colour: Floats, grey: float = 0.0) -> Floats:
    """A linear colour [3] as bright as it looks, with a share of grey."""
    mixed = np.asarray(colour) * (1 - grey) + 0.5 * grey
    return np.asarray(np.sqrt(np.clip(mixed, 0, 1)), F32)
