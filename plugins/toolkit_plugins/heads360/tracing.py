"""Sphere tracing: rays step by the signed distance until they touch; finished rays leave the batch."""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit.interfaces import RayColours
from toolkit_plugins.heads360.head import Head
from toolkit_plugins.heads360.solids import Points

REACH = 0.46
"""Radius of the sphere round the origin that holds everything visible."""
FLOOR = -0.40
"""Shoulders end here; no picture of the standard cameras sees lower."""
STEPS = 64
CAUTION = 0.85
"""Share of the distance that a ray steps, since distances are approximate."""
TOUCH = 0.0006
NEAR_TOUCH = 0.003
"""Rays that graze a surface run out of steps this near to it: they count as arrived."""
CHUNK = 65536
"""Rays at a time: many, since every step has a fixed cost, but not more than a processor's cache likes."""
_BOXES = (
    ((-0.28, -0.45, -0.30), (0.28, 0.34, 0.30)),
    ((-0.36, -0.42, -0.26), (0.36, -0.24, 0.20)),
)
"""Head and shoulders; rays that miss both miss the head."""


@torch.no_grad()
def trace_rays(head: Head, origins: Tensor, directions: Tensor) -> RayColours:
    """Look along rays at a head on white ground.

    Args:
        head: The head.
        origins: [R, 3], outside the head.
        directions: [R, 3], unit.

    Returns:
        Colours [R, 3] in [-1, 1], depth [R] along the rays (0 = nothing hit), hit [R] bool; on the rays' device.
    """
    depth, hit = march(head, origins, directions)
    return RayColours(shade(head, origins, directions, depth, hit), depth, hit)


@torch.no_grad()
def march(head: Head, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Depth [R] along rays (0 = nothing hit) and hit [R] bool; arguments as for `trace_rays`."""
    found = []
    for o, d in zip(origins.split(CHUNK), directions.split(CHUNK), strict=True):
        t, hit = _march(head, Points.of(o), Points.of(d))
        found.append((torch.where(hit, t, 0.0), hit))
    return torch.cat([t for t, _ in found]), torch.cat([hit for _, hit in found])


@torch.no_grad()
def shade(head: Head, origins: Tensor, directions: Tensor, depth: Tensor, hit: Tensor) -> Tensor:
    """Colours [R, 3] in [-1, 1] of rays that `march` has followed; white where nothing is hit."""
    rgb = torch.ones_like(origins)
    for where in torch.nonzero(hit)[:, 0].split(CHUNK):
        if len(where):
            points = origins[where] + depth[where, None] * directions[where]
            rgb[where] = head.shade(Points.of(points)).t()
    return rgb


def _march(head: Head, o: Points, d: Points) -> tuple[Tensor, Tensor]:
    """Distance travelled [R] and whether a surface was met [R]."""
    along = o.x * d.x + o.y * d.y + o.z * d.z
    discriminant = along * along - (o.x * o.x + o.y * o.y + o.z * o.z - REACH**2)
    root = discriminant.clamp_min(0).sqrt()
    t, far = -along - root, -along + root
    hit = torch.zeros_like(t, dtype=torch.bool)
    alive = torch.nonzero((discriminant > 0) & _meets_boxes(o, d))[:, 0]
    for _ in range(STEPS):
        if not len(alive):
            return t, hit
        p = _at(o, d, t, alive)
        distance = head.distance(p)
        below, touching = p.y < FLOOR, distance < TOUCH
        hit[alive[touching & ~below]] = True
        moved = t[alive] + distance.clamp_min(TOUCH / 2) * CAUTION * ~touching
        t[alive] = moved
        alive = alive[~touching & ~below & (moved < far[alive])]
    close = head.distance(_at(o, d, t, alive)) < NEAR_TOUCH
    hit[alive[close]] = True
    return t, hit


def _at(o: Points, d: Points, t: Tensor, which: Tensor) -> Points:
    t = t[which]
    return Points(*(a[which] + t * b[which] for a, b in zip(o, d, strict=True)))


def _meets_boxes(o: Points, d: Points) -> Tensor:
    """Whether each ray [R] passes through head or shoulders, by the slab test."""
    meets = torch.zeros_like(o.x, dtype=torch.bool)
    for low, high in _BOXES:
        enter, leave = torch.full_like(o.x, -torch.inf), torch.full_like(o.x, torch.inf)
        for a, b, lo, hi in zip(o, d, low, high, strict=True):
            b = torch.where(b.abs() < 1e-9, 1e-9, b)
            first, second = (lo - a) / b, (hi - a) / b
            enter = torch.maximum(enter, torch.minimum(first, second))
            leave = torch.minimum(leave, torch.maximum(first, second))
        meets |= enter <= leave
    return meets
