"""What skin is like at the vertices of the base mesh: all that varies slowly, and where the moles are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from toolkit_plugins.heads360.anatomy import anatomy
from toolkit_plugins.heads360.geometry import F32, Floats, bell, smoothstep
from toolkit_plugins.heads360.hair.face import beard_mask
from toolkit_plugins.heads360.hair.scalp import above_hairline
from toolkit_plugins.heads360.hair.styles import hair_recession
from toolkit_plugins.heads360.noise import fractal
from toolkit_plugins.heads360.person import Person

_STUBBLE = {"none": 0.06, "stubble": 0.5, "short": 0.6, "full": 0.6}
_SCALP = {"bald": 0.35, "buzz": 0.85, "balding": 0.6}


class SkinMap(NamedTuple):
    """What skin is like at each vertex of the base mesh."""

    values: Floats
    """[V, 14], columns as `compiled.skin_look` numbers them."""
    moles: Floats
    """[M, 4], template place and radius."""


def skin_map(person: Person, openness: Floats) -> SkinMap:
    """All that varies slowly, once per head."""
    base, skin = anatomy(), person.skin
    place = base.template
    x, y, z = place.T
    beside = np.stack([np.abs(x), y, z], 1)
    flat = beside[:, :2]
    masks, seed = base.masks, person.seed % 50
    red = bell(beside, [0.42, 6.95, 1.3], [0.2, 0.17, 0.5]) + 0.8 * bell(place, [0, 6.93, 1.66], [0.13, 0.1, 0.14])
    red += 0.5 * masks["ears"] + 0.25 * bell(place, [0, 6.3, 1.45], [0.15, 0.1, 0.2])
    red += 0.35 * bell(flat, [0.31, 7.17], [0.18, 0.07]) - 0.35 * bell(place, [0, 7.75, 1.4], [0.5, 0.3, 0.5])
    uneven = 0.5 + skin.blemishes
    blood = skin.blood * (1 + 0.3 * uneven * fractal(place, 3, 5.0, 3 + seed)) + 0.32 * red * (0.5 + skin.blood)
    melanin = skin.melanin * (1 + 0.12 * uneven * fractal(place, 3, 3.0, 11 + seed))
    socket = bell(flat, [0.31, 7.15], [0.17, 0.06]) + 0.6 * masks["eyelids"]
    melanin = melanin + 0.09 * socket * (0.4 + skin.melanin) * (0.5 + person.old)
    neck = (base.weights["head"] < 0.5) & (y < 6.6)
    side = bell(flat, [0.62, 7.27], [0.12, 0.13]) + 0.5 * bell(flat, [0.33, 7.1], [0.16, 0.06])
    fold = bell(np.stack([np.abs(x) - (0.24 + 0.30 * (6.95 - y)), y], 1), [0, 6.83], [0.022, 0.14]) * (z > 1.2)
    hair, style = person.hair, person.hair.style
    stubble = (1 - person.feminine) * _STUBBLE.get(hair.beard, 0.3)
    area = "full" if hair.beard in ("none", "stubble", "short", "full") else hair.beard
    scalp = smoothstep(-0.03, 0.10, above_hairline(place, hair_recession(person)) + 0.03 * fractal(place, 2, 9.0))
    scalp = scalp * (masks["ears"] < 0.5) * _SCALP.get(style, 0.92) * (1 if style != "bald" else person.skin.moles)
    if style == "balding":
        scalp = scalp * (1 - 0.85 * smoothstep(7.75, 8.1, y))
    columns = (
        masks["lips"], masks["inside-mouth"], np.maximum(masks["ears"], base.is_ear), neck, melanin, blood,
        stubble * beard_mask(place, area), scalp, openness, bell(place, [0, 7.8, 1.4], [0.5, 0.22, 0.4]), side, fold,
        bell(place, [0, 7.25, 1.6], [0.24, 0.6, 0.35]), bell(flat, [0.30, 7.06], [0.16, 0.035]),
    )  # fmt: skip
    return SkinMap(np.stack([np.asarray(column, F32) for column in columns], 1), _moles(person))


def _moles(person: Person) -> Floats:
    """Up to nine, on face and neck."""
    base, rng = anatomy(), np.random.default_rng(person.seed + 1)
    count = int(9 * person.skin.moles**2)
    _, y, z = base.template.T
    free = np.nonzero(base.is_body & (z > 0.2) & (y > 5.6) & (base.masks["lips"] < 0.1))[0]
    places = base.template[rng.choice(free, count)] + rng.normal(0, 0.03, (count, 3))
    return np.c_[places, rng.uniform(0.008, 0.02, count)].astype(F32)
