"""Brows, beards and lashes."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from toolkit_plugins.heads360.anatomy import anatomy
from toolkit_plugins.heads360.geometry import F32, Floats, Ints, Surface, bell, dot, smoothstep, tube, unit
from toolkit_plugins.heads360.hair.growth import ribbons
from toolkit_plugins.heads360.hair.scalp import Scalp
from toolkit_plugins.heads360.parts import Kind, Parts
from toolkit_plugins.heads360.person import Person
from toolkit_plugins.heads360.scene import Scene
from toolkit_plugins.heads360.shaping import Bust

BROW_START, BROW_LENGTH = 0.115, 0.42


def brow_height(along: Floats, arch: float = 0.0) -> Floats:
    """Template height [...] of a brow's middle at 0..1 along it; `arch` in -1..1."""
    bow = np.sin(np.pi * np.clip(along * 1.05, 0, 1) ** 1.25)
    return np.asarray(7.445 + (0.05 + 0.03 * arch) * bow - 0.025 * along, F32)


def beard_mask(places: Floats, kind: str) -> Floats:
    """How densely a beard grows [...] at template places [..., 3]."""
    x, y, z = np.abs(places[..., 0]), places[..., 1], places[..., 2]
    line = np.interp(z, [0.5, 0.62, 0.75, 1.0, 1.3, 1.45, 1.7], [7.2, 7.2, 7.0, 6.8, 6.66, 6.6, 6.6]).astype(F32)
    jaw = smoothstep(0, 0.14, line - y) * smoothstep(6.05, 6.24, y + 0.12 * (z > 1.0)) * smoothstep(0.42, 0.58, z)
    lip = smoothstep(0.46, 0.22, x) * smoothstep(6.62, 6.74, y + 0.30 * x) * smoothstep(6.90, 6.80, y + 0.22 * x)
    lip = lip * smoothstep(1.16, 1.34, z)
    chin = smoothstep(0.40, 0.14, x) * smoothstep(6.57, 6.44, y) * smoothstep(6.06, 6.2, y + 0.1 * (z > 1))
    chin = chin * smoothstep(0.95, 1.15, z)
    joint = smoothstep(0.33, 0.26, x) * smoothstep(6.9, 6.85, y) * smoothstep(0.19, 0.27, x) * smoothstep(6.3, 6.42, y)
    joint = 0.7 * joint * smoothstep(1.2, 1.35, z)
    soul = (
        0.8 * smoothstep(0.12, 0.05, x) * smoothstep(6.62, 6.5, y) * smoothstep(6.4, 6.45, y) * smoothstep(1.2, 1.3, z)
    )
    strap = jaw * smoothstep(6.52, 6.30, y - 0.25 * smoothstep(1.1, 0.7, z))
    masks = {
        "none": 0 * jaw,
        "moustache": lip,
        "goatee": np.maximum(np.maximum(lip, chin), np.maximum(joint, soul)),
        "chin strap": strap,
    }
    return np.asarray(masks.get(kind, np.maximum(jaw, np.maximum(lip, soul))), F32)


def grow_brows(parts: Parts, bust: Bust, person: Person, rng: np.random.Generator) -> None:
    """Short strands along the brows, finer and sparser towards their ends."""
    base, all_roots, hair = anatomy(), _brow_roots(), person.hair
    thick = hair.brow_thickness
    edges = smoothstep(thick, 0.3 * thick, np.abs(all_roots.across))
    ends = smoothstep(-0.05, 0.25, all_roots.along) * smoothstep(1.02, 0.75, all_roots.along)
    chosen = np.random.default_rng(0).random(len(edges)) < hair.brow_density * edges * ends
    along, across, sign = all_roots.along[chosen], all_roots.across[chosen], all_roots.sign[chosen]
    faces, corner = base.body[all_roots.triangle[chosen]], all_roots.corner[chosen][..., None]
    start, normal = (bust.points[faces] * corner).sum(1), unit((bust.normals[faces] * corner).sum(1))
    start = start + np.array([0, 0.03 * hair.brow_arch, 0]) * np.sin(np.pi * along)[:, None]
    angle = np.interp(along, [0, 0.12, 0.35, 0.75, 1], [1.35, 0.95, 0.35, -0.1, -0.4]) - 0.35 * across
    ahead = np.stack([sign * np.cos(angle), np.sin(angle), np.full(len(angle), -0.1)], 1)
    ahead = _slanted(ahead + rng.normal(0, 0.13, ahead.shape), normal, 0.14)
    length = rng.uniform(0.05, 0.095, len(along)) * (1 - 0.3 * along)
    _stubs(parts, Kind.BROW, rng, start, normal, ahead, length, 0.0065, droop=-0.12 * normal)


def grow_beard(parts: Parts, scalp: Scalp, person: Person, rng: np.random.Generator) -> list[Floats]:
    """Add a beard; returns its strands, for its shadow."""
    base, hair = anatomy(), person.hair
    if hair.beard == "none":
        return []
    mask = beard_mask(base.template, hair.beard) * (base.masks["lips"] < 0.35) * (base.masks["inside-mouth"] < 0.3)
    mask = mask * base.is_body
    short = hair.beard == "stubble"
    few = hair.beard in ("moustache", "goatee")
    count = int(
        (9000 if short else 9500 if few else 15000)
        * min(1.0, mask.sum() / 170 + 0.1)
        * (0.5 + 0.5 * hair.beard_density)
    )
    roots = scalp.roots(rng, mask, count)
    if roots is None:
        return []
    length = rng.uniform(0.6, 1.1, count)
    if short:
        length = length * (0.016 + 0.014 * hair.beard_length)
    else:
        most = {"full": 0.26, "goatee": 0.16, "moustache": 0.09}.get(hair.beard, 0.09)
        length = length * (0.055 + (most - 0.055) * hair.beard_length)
        chin = 0.5 + 0.7 * bell(roots.places, [0, 6.25, 1.3], [0.4, 0.28, 0.7])
        length = length * np.where((roots.places[:, 1] > 6.6) & (roots.places[:, 2] > 1.36), 0.7, chin)
        length = length * (0.3 + 0.7 * smoothstep(0.05, 0.6, beard_mask(roots.places, hair.beard)))
    x, y, z = roots.places.T
    on_lip = (y > 6.60) & (z > 1.15) & (np.abs(x) < 0.46)
    ahead = np.stack([np.sign(x) * (0.2 + 0.75 * on_lip), np.full(count, -1.0), np.full(count, 0.05)], 1)
    ahead = _slanted(ahead + rng.normal(0, 0.25, ahead.shape), roots.normals, rng.uniform(0.15, 0.45))
    down = np.array([0, -0.3, 0]) * np.ones((count, 1))
    width = 0.0042 if short else 0.0068
    return [_stubs(parts, Kind.BEARD, rng, roots.points, roots.normals, ahead, length, width, down)]


def grow_lashes(parts: Parts, bust: Bust, person: Person, rng: np.random.Generator) -> None:
    """Lashes and the dark rim of the lids."""
    base = anatomy()
    for side in "lr":
        eye = base.template[base.vertices_of(f"helper-{side}-eye")].mean(0)
        for name, upper in ((f"helper-{side}-eyelashes-2", True), (f"helper-{side}-eyelashes-1", False)):
            near, far = _lash_lines(base.vertices_of(name), base.template, eye)
            rim, tips = bust.points[near], bust.points[far]
            count = 110 if upper else 50
            place = np.sort(rng.uniform(0.10, 0.93, count)) * (len(rim) - 1)
            start, end = _along(rim, place), _along(tips, place + rng.normal(0, 0.12, count))
            reach = (0.42 + 0.3 * person.feminine) * (1 if upper else 0.4) * rng.uniform(0.75, 1.1, (count, 1))
            away = (end - start) * reach
            normal = np.tile(np.array([0, 0, 1], F32), (count, 1))
            bend = np.array([0, 0.3 if upper else -0.1, 0]) * np.ones((count, 1))
            length = np.minimum(np.sqrt(dot(away, away)), 0.085)
            _stubs(parts, Kind.LASH, rng, start, normal, unit(away), length, 0.003, bend)
            dense = _along(rim, np.linspace(0.06, 0.95, 24) * (len(rim) - 1))
            dense = ndimage.gaussian_filter1d(dense, 1.5, axis=0)
            middle = bust.points[base.vertices_of(f"helper-{side}-eye")].mean(0)
            thick = (0.0045 + 0.003 * person.feminine) if upper else 0.0026
            parts.add(tube(dense + unit(dense - middle) * F32(0.003), thick, 6), Kind.LASH)


class _BrowRoots(NamedTuple):
    along: Floats
    across: Floats
    sign: Floats
    triangle: Ints
    corner: Floats


@cache
def _brow_roots(count: int = 5200) -> _BrowRoots:
    """Candidates for roots on the template, found by rays from the front."""
    base, rng = anatomy(), np.random.default_rng(5)
    along, across = rng.random(count), rng.uniform(-1.35, 1.35, count)
    sign = rng.choice([1.0, -1.0], count)
    spread = 0.5 * (0.066 * (1 - 0.62 * along**1.5) * np.minimum(1, 0.62 + 3 * along))
    height = brow_height(along.astype(F32)) + across * spread
    origins = np.stack([sign * (BROW_START + BROW_LENGTH * along), height, np.full(count, 4.0)], 1)
    hits = Scene(base.template, base.body).hits(origins.astype(F32), np.tile(np.array([0, 0, -1], F32), (count, 1)))
    met = hits.triangle >= 0
    corner = np.stack([1 - hits.u - hits.v, hits.u, hits.v], 1)[met]
    values = (along[met].astype(F32), across[met].astype(F32), sign[met].astype(F32))
    return _BrowRoots(*values, hits.triangle[met].astype(np.int64), corner)


def _stubs(
    parts: Parts, kind: Kind, rng: np.random.Generator, start: Floats, normal: Floats, ahead: Floats, length: Floats,
    width: float, droop: Floats,
) -> Floats:  # fmt: skip
    """Add strands of one bend; returns them [N, 4, 3]."""
    t = np.linspace(0, 1, 4, dtype=F32)[None, :, None]
    size = np.asarray(length, F32)[:, None, None]
    strands = start[:, None] + normal[:, None] * F32(0.003) + size * (ahead[:, None] * t + droop[:, None] * t**2)
    strands = strands.astype(F32)
    normals = np.repeat(normal[:, None], 4, 1).astype(F32)
    tone = rng.random(len(start)).astype(F32)
    surface, tangents, extra = ribbons(rng, strands, normals, width, tone)
    parts.add(Surface(*surface), kind, tangents, extra)
    return strands


def _slanted(ahead: Floats, normal: Floats, rise: float) -> Floats:
    flat = ahead - dot(ahead, normal)[:, None] * normal
    return unit(unit(flat) + F32(rise) * normal)


def _lash_lines(vertices: Ints, template: Floats, eye: Floats) -> tuple[Ints, Ints]:
    """Vertices along the root and along the tip of a card of lashes, from one corner of the eye to the other."""
    away = np.linalg.norm(template[vertices] - eye, axis=1)
    x = template[vertices][:, 0]
    bins = np.clip(((x - x.min()) / (np.ptp(x) + 1e-6) * 9).astype(int), 0, 8)
    groups = [np.nonzero(bins == number)[0] for number in range(9) if (bins == number).any()]
    near = [group[away[group].argmin()] for group in groups]
    far = [group[away[group].argmax()] for group in groups]
    return vertices[near], vertices[far]


def _along(points: Floats, place: Floats) -> Floats:
    index = np.arange(len(points))
    return np.stack([np.interp(place, index, points[:, axis]) for axis in range(3)], 1).astype(F32)
