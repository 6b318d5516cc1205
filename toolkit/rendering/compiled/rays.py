"""Looking along rays: one ray after the other, on one core.

A ray is sampled twice, as `toolkit.rendering.marching.march` does it, but only where a sample lies near matter or next
to some, and only until no light gets through.
"""

from __future__ import annotations

import math

import numpy as np

from toolkit.rendering.compiled.compiling import kernel, part
from toolkit.rendering.compiled.head import Floats, Head, Kept, Ray, Room, Samples, Seen, Sparing
from toolkit.rendering.compiled.points import HALF, ONE, ZERO, activate, dot, feature, read_point, within
from toolkit.rendering.marching import EMPTY_DENSITY, TRANSMITTANCE_EPSILON
from toolkit.rendering.occupancy import EMPTY_BELOW, Occupancy
from toolkit.rendering.sampling import FLOOR, MASS_EPSILON, WEIGHT_EPSILON

_NEAR = Occupancy.NEAR
EMPTY, TRANSMITTANCE, _FLOOR = np.float32(EMPTY_DENSITY), np.float32(TRANSMITTANCE_EPSILON), np.float32(FLOOR)
_MATTER = np.float32(EMPTY_BELOW)
_WEIGHT, _MASS = np.float32(WEIGHT_EPSILON), np.float32(MASS_EPSILON)
_FLAT, _STEEP = np.float32(-18), np.float32(18)
"""Beyond them, softplus is 0 or the number itself, and 1 - exp(-x) is 1, to rounding."""


@part
def _level(sparing: Sparing, ray: Ray, depth: np.float32) -> int:
    """How near matter is."""
    if sparing.cells == 0:
        return _NEAR
    scale, cells, middle = sparing.scale, sparing.cells, np.float32(sparing.cells * 0.5)
    x = within((ray.x + depth * ray.to_x) * scale + middle, cells - 1)
    y = within((ray.y + depth * ray.to_y) * scale + middle, cells - 1)
    z = within((ray.z + depth * ray.to_z) * scale + middle, cells - 1)
    return sparing.levels[(x * cells + y) * cells + z]


@part
def outside(head: Head, x: np.float32, z: np.float32) -> bool:
    """Whether the renderer sees nothing there."""
    return bool(max(abs(x), abs(z)) > head.crop)


@part
def at(ray: Ray, depth: np.float32) -> tuple[np.float32, np.float32, np.float32]:
    """The world point at a depth."""
    return ray.x + depth * ray.to_x, ray.y + depth * ray.to_y, ray.z + depth * ray.to_z


@part
def _evaluate(head: Head, ray: Ray, depth: np.float32, read: Floats, hidden: Floats) -> None:
    """The activations [H] at a depth, from which density and features come."""
    x, y, z = at(ray, depth)
    read_point(head, x, y, z, read)
    activate(head, read, hidden)


@part
def softplus(x: np.float32) -> np.float32:
    """log(1 + exp(x))."""
    if x > _STEEP:
        return x
    return ZERO if x < _FLAT else np.float32(math.log1p(math.exp(x)))


@part
def opacity_of(thickness: np.float32) -> np.float32:
    """1 - exp(-x)."""
    if thickness == ZERO:
        return ZERO
    return ONE if thickness > _STEEP else ONE - np.float32(math.exp(-thickness))


@part
def _thickness(samples: Samples, index: int) -> np.float32:
    """Optical depth of the interval that ends at a sample."""
    mean = (samples.density[index - 1] + samples.density[index]) * HALF
    return softplus(mean - ONE) * (samples.depth[index] - samples.depth[index - 1])


@part
def _ask(head: Head, ray: Ray, samples: Samples, index: int, used: int, room: Room) -> int:
    """Evaluate a sample that is not yet known; how many rows of `room.hidden` are used then."""
    x, _, z = at(ray, samples.depth[index])
    if samples.slot[index] >= 0 or outside(head, x, z):
        return used
    hidden = room.hidden[used]
    _evaluate(head, ray, samples.depth[index], room.read, hidden)
    samples.density[index] = head.density_bias + dot(hidden, head.density_weight)
    samples.slot[index] = used
    return used + 1


@part
def _ask_around(head: Head, ray: Ray, samples: Samples, index: int, used: int, room: Room) -> int:
    """Evaluate a sample if it is near matter or behind some; if it is matter itself, the one before it, too."""
    before = max(index - 1, 0)
    if samples.near[index] or samples.density[before] > _MATTER:
        used = _ask(head, ray, samples, index, used, room)
        if samples.density[index] > _MATTER:
            used = _ask(head, ray, samples, before, used, room)
    return used


@part
def _walk(head: Head, ray: Ray, samples: Samples, used: int, room: Room, dark: np.float32) -> tuple[int, int]:
    """Evaluate what is near matter and not yet known, front to back, until it is dark; fill the intervals' weights in.

    Returns how many rows of `room.hidden` are used now, and how many samples light reaches.
    """
    count, light, passed = samples.depth.shape[0], ONE, ZERO
    room.weights[:] = ZERO
    for index in range(count):
        used = _ask_around(head, ray, samples, index, used, room)
        if index > 0:
            thickness = _thickness(samples, index)
            opacity = opacity_of(thickness)
            room.weights[index - 1] = opacity * light
            light *= ONE - opacity + TRANSMITTANCE
            passed += thickness
            if passed > dark:
                return used, index + 1
    return used, count


@part
def _mass(weights: Floats, index: int) -> np.float32:
    """Importance of the space between the middles of two neighbouring intervals, smoothed."""
    before, here, after = weights[index - 1], weights[index], weights[index + 1]
    return (max(before, here) + max(here, after)) * HALF + _FLOOR + _WEIGHT


@part
def _draw_fine(depth: Floats, draws: Floats, room: Room) -> None:
    """Depths of the second pass, from the weights [S - 1] of the first; draws ascend."""
    cumulative, last = room.cumulative, depth.shape[0] - 3
    total = ZERO
    for index in range(1, last + 1):
        total += _mass(room.weights, index)
    cumulative[0] = ZERO
    for index in range(1, last + 1):
        cumulative[index] = cumulative[index - 1] + _mass(room.weights, index) / total
    rank = 0
    for number in range(draws.shape[0]):
        while rank <= last and cumulative[rank] <= draws[number]:
            rank += 1
        low, high = max(rank - 1, 0), min(rank, last)
        span = cumulative[high] - cumulative[low]
        left, right = (depth[low] + depth[low + 1]) * HALF, (depth[high] + depth[high + 1]) * HALF
        share = (draws[number] - cumulative[low]) / (ONE if span < _MASS else span)
        room.fine[number] = left + share * (right - left)


@part
def _merge(sparing: Sparing, ray: Ray, room: Room) -> bool:
    """Both passes in order; whether any sample is near matter."""
    coarse, fine, merged, met = room.coarse, room.fine, room.merged, False
    a, b = 0, 0
    for index in range(merged.depth.shape[0]):
        if b == fine.shape[0] or (a < coarse.depth.shape[0] and coarse.depth[a] <= fine[b]):
            merged.depth[index], merged.density[index] = coarse.depth[a], coarse.density[a]
            merged.near[index], merged.slot[index] = coarse.near[a], coarse.slot[a]
            a += 1
        else:
            merged.depth[index], merged.density[index] = fine[b], EMPTY
            merged.near[index], merged.slot[index] = _level(sparing, ray, fine[b]) == _NEAR, -1
            b += 1
        met = met or merged.near[index]
    return met


@part
def _blend(
    head: Head, ray: Ray, room: Room, used: int, reached: int, least: np.float32, shown: Floats
) -> tuple[np.float32, np.float32]:
    """Add up what `reached` samples show; depth weighted by opacity, and opacity."""
    merged, weights, depth, opacity = room.merged, room.weights, ZERO, ZERO
    for index in range(reached):
        before = weights[index - 1] if index > 0 else ZERO
        weight = (before + (weights[index] if index < reached - 1 else ZERO)) * HALF
        if weight > least:
            slot = merged.slot[index]
            if slot < 0:  # seen, though empty: it has a dense neighbour
                slot = used
                _evaluate(head, ray, merged.depth[index], room.read, room.hidden[slot])
            hidden = room.hidden[slot]
            for number in range(shown.shape[0]):
                shown[number] += weight * feature(head, hidden, number)
        if index > 0:
            depth += before * (merged.depth[index] + merged.depth[index - 1]) * HALF
            opacity += before
    return depth, opacity


@part
def _keep(merged: Samples, reached: int, number: int, kept: Kept) -> None:
    for index in range(merged.depth.shape[0]):
        kept.depth[number, index], kept.density[number, index] = merged.depth[index], merged.density[index]
    kept.reached[number] = reached


@part
def _first_look(sparing: Sparing, ray: Ray, coarse: Samples, depths: Floats) -> int:
    """Lay out the samples of the first pass; the highest level along the ray."""
    highest = 0
    for index in range(depths.shape[0]):
        level = _level(sparing, ray, depths[index])
        coarse.depth[index], coarse.density[index] = depths[index], EMPTY
        coarse.near[index], coarse.slot[index] = level == _NEAR, -1
        highest = max(highest, level)
    return highest


@part
def ray_of(origins: Floats, directions: Floats, number: int) -> Ray:
    """One of R rays with origins and directions [R, 3]."""
    start, way = origins[number], directions[number]
    return Ray(start[0], start[1], start[2], way[0], way[1], way[2])


@kernel
def look(
    head: Head,
    sparing: Sparing,
    origins: Floats,
    directions: Floats,
    depths: Floats,
    draws: Floats,
    room: Room,
    seen: Seen,
    kept: Kept,
) -> None:
    """Look along R rays with origins and directions [R, 3], depths [R, S] and ascending draws [R, I]."""
    for number in range(directions.shape[0]):
        ray = ray_of(origins, directions, number)
        highest, used = _first_look(sparing, ray, room.coarse, depths[number]), 0
        if highest == 0:
            continue
        if highest == _NEAR:
            used, _ = _walk(head, ray, room.coarse, 0, room, sparing.dark)
        else:
            room.weights[:] = ZERO
        _draw_fine(depths[number], draws[number], room)
        if _merge(sparing, ray, room):
            used, reached = _walk(head, ray, room.merged, used, room, sparing.dark)
            found = _blend(head, ray, room, used, reached, sparing.least, seen.features[number])
            seen.depth[number], seen.opacity[number] = found
            if kept.reached.shape[0] > 0:
                _keep(room.merged, reached, number, kept)
