"""Cloth over the body, and what goes round the neck: ribbing, collars, lapels, hoods."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from toolkit_plugins.heads360.anatomy import anatomy
from toolkit_plugins.heads360.clothing.cutting import cut
from toolkit_plugins.heads360.clothing.necklines import below_neckline
from toolkit_plugins.heads360.geometry import (
    F32,
    Floats,
    Ints,
    Mask,
    Surface,
    sheet,
    smoothstep,
    triangles_of,
    tube,
    unit,
    vertex_normals,
)
from toolkit_plugins.heads360.noise import fractal
from toolkit_plugins.heads360.parts import Kind, Parts
from toolkit_plugins.heads360.shaping import FLOOR, Bust, confined

_CELLS = 5
"""Each quad of the tights becomes this many squared."""
_OFFSET = {"hoodie": 0.15, "shirt": 0.09, "turtleneck": 0.07, "suit": 0.12, "jacket": 0.14, "sweater": 0.11}
_CLEARANCE = 0.05
"""Least height of cloth above the skin, decimetres."""
MARK_BODY, MARK_COLLAR = 0.0, 1.0


class Cloth(NamedTuple):
    """The cloth over the body."""

    where: slice
    """Its vertices in the solid."""
    mixing: sparse.csr_matrix
    """[vertices, V]: shares of the base mesh's vertices, to carry light."""


def dress(parts: Parts, bust: Bust, kind: str, rng: np.random.Generator) -> Cloth:
    """Add clothing to `parts`."""
    base = anatomy()
    quads = base.group("helper-tights")
    grid = np.arange(_CELLS + 1, dtype=F32) / _CELLS
    u, v = np.meshgrid(grid, grid, indexing="ij")
    shares = np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v], -1).reshape(-1, 4)

    def spread(values: Floats) -> Floats:
        return np.einsum("kc,qcd->qkd", shares, values[quads])

    points, places, normals = spread(bust.points), spread(base.template), unit(spread(bust.normals))
    below = below_neckline(places, kind)
    folds = fractal(places, 3, np.array([1.5, 1.1, 1.5]), float(rng.integers(1, 40)))
    offset = _OFFSET.get(kind, 0.075) + 0.045 * folds * smoothstep(0, 0.6, below)
    offset = offset + 0.03 * smoothstep(0.13, 0.03, below) * (kind not in ("shirt", "suit", "blouse"))
    points = points + normals * offset[..., None]
    old = below.size
    divided = cut(_cell_faces(below > -0.3, len(quads)), below.ravel())
    flat, place, falls = (
        (divided.mixing @ values.reshape(old, -1)).astype(F32) for values in (points, places, below[..., None])
    )
    flat = confined(_above_skin(flat, bust))
    normals = _welded_normals(flat, divided.faces)
    extra = np.concatenate([falls, np.full_like(falls, MARK_BODY)], 1)
    where = parts.add(Surface(flat, divided.faces, normals), Kind.CLOTH, place, extra)
    _close_floor(parts)
    edge = divided.edge[place[divided.edge, 1] < 6.6]
    if len(edge) > 20:
        _finish_neck(parts, Neckline(flat[edge], bust), kind, rng)
    rows = np.repeat(np.arange(old), 4)
    columns = np.repeat(quads, len(shares), 0).ravel()
    values = np.tile(shares, (len(quads), 1)).ravel()
    mixing = divided.mixing @ sparse.csr_matrix((values, (rows, columns)), shape=(old, len(base.template)))
    return Cloth(where, mixing.tocsr().astype(F32))


class Neckline:
    """The edge of the cloth round the neck, by angle: 0 is the front, positive towards +x."""

    def __init__(self, edge: Floats, bust: Bust) -> None:
        """Fit a smooth ring to points [N, 3]."""
        base = anatomy()
        neck = bust.points[base.vertices_of("joint-neck")].mean(0)
        self.angles = np.linspace(-np.pi, np.pi, 73)
        own = np.arctan2(edge[:, 0], edge[:, 2] - neck[2] - 0.1)
        ring = []
        for angle in self.angles:
            away = np.abs((own - angle + np.pi) % (2 * np.pi) - np.pi)
            weight = np.exp(-0.5 * (away / 0.09) ** 2) + 1e-9
            ring.append((edge * weight[:, None]).sum(0) / weight.sum())
        self.ring = np.array(ring)
        self.bust = bust

    def at(self, angles: Floats) -> tuple[Floats, Floats]:
        """Points [N, 3] on the ring and the directions [N, 3] outwards."""
        wrapped = (angles + np.pi) % (2 * np.pi) - np.pi
        points = np.stack([np.interp(wrapped, self.angles, self.ring[:, axis]) for axis in range(3)], 1)
        outwards = np.stack([np.sin(angles), 0 * angles, np.cos(angles)], 1)
        return points.astype(F32), outwards.astype(F32)


def _finish_neck(parts: Parts, line: Neckline, kind: str, rng: np.random.Generator) -> None:
    if kind in ("t-shirt", "turtleneck", "sweater", "tank top", "dungarees"):
        radius = {"sweater": 0.05, "tank top": 0.02}.get(kind, 0.03)
        points, _ = line.at(np.linspace(-np.pi, np.pi, 72, endpoint=False))
        _add_collar(parts, line, tube(points, radius, 8, closed=True))
    elif kind in ("shirt", "polo", "blouse"):
        _folded_collar(parts, line, height={"shirt": 0.22, "polo": 0.17}.get(kind, 0.15), gap=0.22, flare=0.085)
    elif kind in ("suit", "jacket"):
        _folded_collar(parts, line, height=0.26 if kind == "jacket" else 0.2, gap=0.16, flare=0.10)
    elif kind == "hoodie":
        _hood(parts, line)


def _folded_collar(parts: Parts, line: Neckline, height: float, gap: float, flare: float) -> None:
    """A collar that stands up and folds over, open in front."""
    angles = np.linspace(gap, 2 * np.pi - gap, 60)
    points, outwards = line.at(angles)
    front = np.maximum(np.cos(angles), 0)[:, None]
    up = np.array([0, 1.0, 0])
    profile = [
        points + outwards * 0.03 - up * 0.03,
        points + up * (height * 0.7) - outwards * 0.01,
        points + up * height,
        points + up * (height * 0.97) + outwards * 0.05,
        points + up * (height * 0.45) + outwards * flare + np.array([0, 0, 0.02]),
        points - up * (0.10 * front + 0.01) + outwards * (flare + 0.035),
    ]
    _add_collar(parts, line, sheet(np.stack(profile, 1).astype(F32), np.repeat(outwards[:, None], len(profile), 1)))


def _hood(parts: Parts, line: Neckline) -> None:
    """A hood that lies on the back."""
    angles = np.linspace(0.5, 2 * np.pi - 0.5, 60)
    points, outwards = line.at(angles)
    radius = 0.1 + 0.12 * np.clip(-np.cos(angles), 0, 1) ** 0.7 + 0.02 * np.sin(angles * 5)
    roll = tube(points + outwards * (radius * 0.9)[:, None] + np.array([0, 0.05, 0]), radius, 14)
    bumps = 0.03 * fractal(roll.points, 2, 3.0)
    _add_collar(parts, line, roll._replace(points=(roll.points + roll.normals * bumps[:, None]).astype(F32)))


def _add_collar(parts: Parts, line: Neckline, surface: Surface) -> None:
    points = confined(surface.points)
    extra = np.tile(np.array([0.3, MARK_COLLAR], F32), (len(points), 1))
    parts.add(surface._replace(points=points), Kind.CLOTH, points + line.bust.centre, extra)


def _close_floor(parts: Parts) -> None:
    """A flat bottom, which only views from far below see."""
    angles = np.linspace(0, 2 * np.pi, 25)
    ring = np.stack([1.75 * np.sin(angles), np.full(25, FLOOR + 0.01), 1.75 * np.cos(angles)], 1)
    middle = np.tile([0, FLOOR + 0.01, 0], (25, 1))
    bottom = sheet(np.stack([ring, middle], 1).astype(F32))
    down = np.tile(np.array([0, -1, 0], F32), (len(bottom.points), 1))
    extra = np.tile(np.array([0.5, MARK_BODY], F32), (len(bottom.points), 1))
    parts.add(bottom._replace(normals=down), Kind.CLOTH, bottom.points + np.array([0, 6.8, 0], F32), extra)


def _above_skin(points: Floats, bust: Bust) -> Floats:
    """Points [N, 3] moved out of the body where they would lie in it or on it."""
    base = anatomy()
    near = base.body_vertices[base.template[base.body_vertices, 1] < 6.5]
    distance, index = cKDTree(bust.points[near]).query(points)
    normals = bust.normals[near][index]
    height = ((points - bust.points[near][index]) * normals).sum(1)
    push = np.where(distance < 0.5, np.clip(_CLEARANCE - height, 0, 0.3), 0)
    return np.asarray(points + normals * push[:, None], F32)


def _cell_faces(inside: Mask, quads: int) -> Ints:
    """Triangles of the cells that have a corner inside."""
    side = _CELLS + 1
    kept = inside.reshape(quads, side, side)
    cell = kept[:, :-1, :-1] | kept[:, 1:, 1:] | kept[:, :-1, 1:] | kept[:, 1:, :-1]
    i, j = np.meshgrid(np.arange(_CELLS), np.arange(_CELLS), indexing="ij")
    first = np.arange(quads)[:, None, None] * side**2

    def corner(di: int, dj: int) -> Ints:
        return (first + (i + di) * side + (j + dj))[cell]

    return triangles_of(np.stack([corner(0, 0), corner(1, 0), corner(1, 1), corner(0, 1)], -1))


def _welded_normals(points: Floats, faces: Ints) -> Floats:
    """Normals that agree where vertices of neighbouring quads coincide."""
    own = vertex_normals(points, faces)
    key = np.round(points / 2e-4).astype(np.int64)
    _, owner = np.unique((key[:, 0] * 1_000_003 + key[:, 1]) * 1_000_003 + key[:, 2], return_inverse=True)
    total = np.stack([np.bincount(owner, own[:, axis]) for axis in range(3)], 1)
    return unit(total)[owner]
