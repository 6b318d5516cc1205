"""All hair styles by name, and a head's hair as triangles."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from toolkit_plugins.heads360.anatomy import anatomy
from toolkit_plugins.heads360.geometry import F32, Floats, smoothstep
from toolkit_plugins.heads360.hair import long, short, tied
from toolkit_plugins.heads360.hair.bunch import GUIDES, Bunch, Stylist
from toolkit_plugins.heads360.hair.growth import children, ribbons
from toolkit_plugins.heads360.hair.scalp import Scalp
from toolkit_plugins.heads360.parts import Kind, Parts
from toolkit_plugins.heads360.person import Person
from toolkit_plugins.heads360.shaping import confined

STYLES: Mapping[str, Callable[[Stylist], list[Bunch]]] = {
    "balding": short.balding,
    "buzz": short.buzz,
    "crop": short.crop,
    "swept": short.swept,
    "parted": short.parted,
    "spiky": short.spiky,
    "curly top": short.curly_top,
    "pixie": short.pixie,
    "bob": long.bob,
    "long": long.long,
    "long fringe": long.long_fringe,
    "wavy": long.wavy,
    "curls": long.curls,
    "afro": long.afro,
    "bun": tied.bun,
    "pony tail": tied.pony_tail,
    "braids": tied.braids,
}
"""All but `bald`, which grows nothing."""
COVERED_BY_HAT = 7.63
"""Template height above which a hat hides hair."""


def hair_recession(person: Person) -> float:
    """How far the hairline has moved up, 0..1.5."""
    return person.hair.recession + (0.9 if person.hair.style == "balding" else 0.0)


def grow_hair(parts: Parts, scalp: Scalp, person: Person, rng: np.random.Generator) -> list[Floats]:
    """Add a person's hair to `parts`; returns the strands [N, K, 3] of each bunch, for its shadow."""
    if person.hair.style not in STYLES:
        return []
    mask = scalp.mask(hair_recession(person))
    height = anatomy().template[:, 1]
    if person.hair.style == "balding":
        mask = mask * smoothstep(8.1, 7.65, height)
    if scalp.headgear != "none":
        mask = mask * (height < 7.8)
    roots = scalp.roots(rng, mask, GUIDES)
    if roots is None:
        return []
    stylist = Stylist(rng, scalp, person.hair, person.ancestry[0], mask, roots)
    return [_add(parts, stylist, bunch) for bunch in STYLES[person.hair.style](stylist)]


def _add(parts: Parts, s: Stylist, bunch: Bunch) -> Floats:
    rng, guides = s.rng, bunch.guides
    if bunch.mask is None:
        chosen = rng.integers(len(guides.points), size=bunch.strands)
        start = guides.points[chosen, 0] + rng.normal(0, bunch.spread, (bunch.strands, 3)).astype(F32)
        side = guides.side[chosen]
    else:
        roots = s.scalp.roots(rng, bunch.mask, bunch.strands)
        assert roots is not None  # guides grew from the same mask
        start = roots.points
        side = np.zeros(len(start), F32) if bunch.side_of is None else bunch.side_of(roots.places)
    strands, owner = children(rng, guides, start, side, bunch.locks)
    normals = guides.normals[owner] + F32(bunch.locks.frizz) * rng.normal(size=(len(strands), 1, 3)).astype(F32)
    tone = 0.55 * rng.random(len(guides.points))[owner] + 0.45 * rng.random(len(strands))
    keep = np.ones(strands.shape[:2], F32) if bunch.keep is None else bunch.keep(strands)
    if s.scalp.headgear != "none":
        place = s.template(strands)
        keep = keep * (place[..., 1] < COVERED_BY_HAT + 0.11 * (place[..., 2] - 0.2))
    surface, tangents, extra = ribbons(rng, strands, normals.astype(F32), bunch.locks.width, tone.astype(F32), keep)
    parts.add(surface, Kind.HAIR, tangents, extra)
    return confined(strands)
