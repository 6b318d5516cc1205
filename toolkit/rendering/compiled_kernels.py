"""Looking along rays through a tri-grid, compiled by Numba: one ray after the other, on one core, without gradients.

All of it stands in one file: what Numba compiled once is used until this file changes.

A ray is sampled twice, as `toolkit.rendering.marching.march` does it, but only where a sample or one of its neighbours
lies near matter, and only until no light gets through.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from toolkit.nn.activation import LEAKY_SLOPE, activation_gain
from toolkit.nn.decoder import SIGMOID_MARGIN
from toolkit.rendering.compiled_head import LRELU, SIGMOID, Floats, Head, Ray, Room, Samples, Seen, Space
from toolkit.rendering.marching import EMPTY_DENSITY, TRANSMITTANCE_EPSILON
from toolkit.rendering.occupancy import Occupancy
from toolkit.rendering.sampling import FLOOR, MASS_EPSILON, WEIGHT_EPSILON

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
"""Other threads run; dividing by 0 gives infinity; nothing is allocated, so that no array counts its users."""
_part = numba.njit(inline="always", **_OPTIONS)
"""A part of the function that calls it: with so many arrays, calls take as long as what they do."""
_sum = numba.njit(fastmath={"contract", "reassoc", "nsz", "arcp", "nnan", "ninf"}, **_OPTIONS)
"""What vector instructions may compute in another order."""

_NEAR = Occupancy.NEAR
_EMPTY, _TRANSMITTANCE, _FLOOR = np.float32(EMPTY_DENSITY), np.float32(TRANSMITTANCE_EPSILON), np.float32(FLOOR)
_WEIGHT, _MASS = np.float32(WEIGHT_EPSILON), np.float32(MASS_EPSILON)
_ZERO, _HALF, _ONE, _TWO, _THIRD = (np.float32(number) for number in (0, 0.5, 1, 2, 1 / 3))
_EXP = tuple(np.float32(1 / math.factorial(k)) for k in range(8))
_ODD = tuple(np.float32(1 / (2 * k + 1)) for k in range(7))
"""Coefficients of exp(y), and of the area tangent of t divided by t, in t^2."""
_DARK = np.float32(12)
"""Optical depth behind which nothing is seen: e^-12 = 6e-6 of the light gets through."""
_LEAST = np.float32(1e-5)
"""Samples of less weight show no features."""
_WIDER, _MARGIN = np.float32(1 + 2 * SIGMOID_MARGIN), np.float32(SIGMOID_MARGIN)
_LEAK, _GAIN = np.float32(LEAKY_SLOPE), np.float32(activation_gain("lrelu"))
_FLAT, _STEEP = np.float32(-18), np.float32(18)
"""Beyond them, softplus is 0 or the number itself, and 1 - exp(-x) is 1, to rounding."""


def _kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Compile at the first call; kept for the next process where that is possible."""
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # no folder can be written to
        return numba.njit(**_OPTIONS)(function)


@_part
def _within(place: np.float32, last: int) -> int:
    """The whole number from 0 to `last` below a place, also below one that is not a number."""
    inside = place if place > _ZERO else _ZERO
    return int(inside if inside < np.float32(last) else np.float32(last))


@_part
def _line(coordinate: np.float32, size: int) -> tuple[int, np.float32, np.float32]:
    """The lower one of two neighbouring texels along an axis, and the shares of both; outside, they fade to 0."""
    place = coordinate * np.float32(size * 0.5) + np.float32((size - 1) * 0.5)
    low = _within(place, max(size - 2, 0))
    beyond = place - np.float32(low)
    upper = max(_ONE - abs(beyond - _ONE), _ZERO) if size > 1 else _ZERO
    return low, max(_ONE - abs(beyond), _ZERO), upper


@_sum
def _add_volume(
    table: Floats, slices: int, side: int, first: int, at: tuple[np.float32, np.float32, np.float32], read: Floats
) -> None:
    """Add a third of what one volume, from a first row on, holds at a point (across, down, deep)."""
    at_a, a0, a1 = _line(at[0], side)
    at_d, d0, d1 = _line(at[1], side)
    at_s, s0, s1 = _line(at[2], slices)
    s0, s1 = s0 * _THIRD, s1 * _THIRD
    row, one = np.uint64(first + (at_s * side + at_d) * side + at_a), np.uint64(1)
    below, step = row + np.uint64(side), np.uint64(side * side if slices > 1 else 0)
    p, q, r, s = d0 * a0, d0 * a1, d1 * a0, d1 * a1
    t, u, v, w = p * s1, q * s1, r * s1, s * s1
    p, q, r, s = p * s0, q * s0, r * s0, s * s0
    for c in range(read.shape[0]):
        near = p * table[row, c] + q * table[row + one, c] + r * table[below, c] + s * table[below + one, c]
        far = t * table[row + step, c] + u * table[row + step + one, c]
        read[c] += near + far + v * table[below + step, c] + w * table[below + step + one, c]


@_sum
def _softplus_all(values: Floats) -> None:
    """log(1 + exp(x)) in place, within 3e-7: powers of exp(x / 32), and the area tangent, by their series."""
    for h in range(values.shape[0]):
        x = values[h]
        y = min(abs(x), np.float32(24)) * np.float32(-1 / 32)
        e = _ONE + y * (
            _ONE + y * (_EXP[2] + y * (_EXP[3] + y * (_EXP[4] + y * (_EXP[5] + y * (_EXP[6] + y * _EXP[7])))))
        )
        e = e * e
        e = e * e
        e = e * e
        e = e * e
        e = e * e
        t = e / (_TWO + e)
        u = t * t
        s = _ONE + u * (_ODD[1] + u * (_ODD[2] + u * (_ODD[3] + u * (_ODD[4] + u * (_ODD[5] + u * _ODD[6])))))
        values[h] = max(x, _ZERO) + _TWO * t * s


@_sum
def _dense(read: Floats, weight: Floats, bias: Floats, out: Floats) -> None:
    """From channels [C] to [H], by a weight [C, H]."""
    for h in range(out.shape[0]):
        out[h] = bias[h]
    for c in range(0, read.shape[0], 4):
        a, b, d, e = read[c], read[c + 1], read[c + 2], read[c + 3]
        for h in range(out.shape[0]):
            out[h] += a * weight[c, h] + b * weight[c + 1, h] + d * weight[c + 2, h] + e * weight[c + 3, h]


@_sum
def _dot(first: Floats, second: Floats) -> np.float32:
    total = _ZERO
    for h in range(first.shape[0]):
        total += first[h] * second[h]
    return total


@_part
def _evaluate(head: Head, ray: Ray, depth: np.float32, read: Floats, hidden: Floats) -> np.float32:
    """Raw density at a depth, empty outside the crop, and the activations [H] from which features come."""
    for c in range(read.shape[0]):
        read[c] = _ZERO
    x, y, z = ray.x + depth * ray.to_x, ray.y + depth * ray.to_y, ray.z + depth * ray.to_z
    u, v, w = x * head.scale, y * head.scale, z * head.scale
    table, slices, side = head.table, head.slices, head.side
    volume = slices * side * side
    _add_volume(table, slices, side, 0, (u, v, w), read)
    _add_volume(table, slices, side, volume, (u, w, v), read)
    _add_volume(table, slices, side, 2 * volume, (v, w, u), read)
    _dense(read, head.first_weight, head.first_bias, hidden)
    _softplus_all(hidden)
    density = head.density_bias + _dot(hidden, head.density_weight)
    return _EMPTY if max(abs(x), abs(z)) > head.crop else density


@_part
def _level(space: Space, ray: Ray, depth: np.float32) -> int:
    """How near matter is."""
    scale, cells, middle = space.scale, space.cells, np.float32(space.cells * 0.5)
    x = _within((ray.x + depth * ray.to_x) * scale + middle, cells - 1)
    y = _within((ray.y + depth * ray.to_y) * scale + middle, cells - 1)
    z = _within((ray.z + depth * ray.to_z) * scale + middle, cells - 1)
    return space.levels[(x * cells + y) * cells + z]


@_part
def _wanted(near: NDArray[np.bool_], index: int) -> bool:
    """Whether a sample is near matter, or one beside it."""
    last = near.shape[0] - 1
    return near[index] or near[max(index - 1, 0)] or near[min(index + 1, last)]


@_part
def _softplus(x: np.float32) -> np.float32:
    if x > _STEEP:
        return x
    return _ZERO if x < _FLAT else np.float32(math.log1p(math.exp(x)))


@_part
def _opacity(thickness: np.float32) -> np.float32:
    """1 - exp(-x)."""
    if thickness == _ZERO:
        return _ZERO
    return _ONE if thickness > _STEEP else _ONE - np.float32(math.exp(-thickness))


@_part
def _thickness(samples: Samples, index: int) -> np.float32:
    """Optical depth of the interval that ends at a sample."""
    mean = (samples.density[index - 1] + samples.density[index]) * _HALF
    return _softplus(mean - _ONE) * (samples.depth[index] - samples.depth[index - 1])


@_part
def _walk(head: Head, ray: Ray, samples: Samples, used: int, room: Room) -> tuple[int, int]:
    """Evaluate what is wanted and not yet known, front to back, until it is dark; fill the intervals' weights in.

    Returns how many rows of `room.hidden` are used now, and how many samples light reaches.
    """
    count, light, dark = samples.depth.shape[0], _ONE, _ZERO
    room.weights[:] = _ZERO
    for index in range(count):
        if samples.slot[index] < 0 and _wanted(samples.near, index):
            samples.density[index] = _evaluate(head, ray, samples.depth[index], room.read, room.hidden[used])
            samples.slot[index] = used
            used += 1
        if index > 0:
            thickness = _thickness(samples, index)
            opacity = _opacity(thickness)
            room.weights[index - 1] = opacity * light
            light *= _ONE - opacity + _TRANSMITTANCE
            dark += thickness
            if dark > _DARK:
                return used, index + 1
    return used, count


@_part
def _mass(weights: Floats, index: int) -> np.float32:
    """Importance of the space between the middles of two neighbouring intervals, smoothed."""
    before, here, after = weights[index - 1], weights[index], weights[index + 1]
    return (max(before, here) + max(here, after)) * _HALF + _FLOOR + _WEIGHT


@_part
def _draw_fine(depth: Floats, draws: Floats, room: Room) -> None:
    """Depths of the second pass, from the weights [S - 1] of the first; draws ascend."""
    cumulative, last = room.cumulative, depth.shape[0] - 3
    total = _ZERO
    for index in range(1, last + 1):
        total += _mass(room.weights, index)
    cumulative[0] = _ZERO
    for index in range(1, last + 1):
        cumulative[index] = cumulative[index - 1] + _mass(room.weights, index) / total
    rank = 0
    for number in range(draws.shape[0]):
        while rank <= last and cumulative[rank] <= draws[number]:
            rank += 1
        low, high = max(rank - 1, 0), min(rank, last)
        span = cumulative[high] - cumulative[low]
        left, right = (depth[low] + depth[low + 1]) * _HALF, (depth[high] + depth[high + 1]) * _HALF
        share = (draws[number] - cumulative[low]) / (_ONE if span < _MASS else span)
        room.fine[number] = left + share * (right - left)


@_part
def _merge(space: Space, ray: Ray, room: Room) -> bool:
    """Both passes in order; whether any sample is near matter."""
    coarse, fine, merged, met = room.coarse, room.fine, room.merged, False
    a, b = 0, 0
    for index in range(merged.depth.shape[0]):
        if b == fine.shape[0] or (a < coarse.depth.shape[0] and coarse.depth[a] <= fine[b]):
            merged.depth[index], merged.density[index] = coarse.depth[a], coarse.density[a]
            merged.near[index], merged.slot[index] = coarse.near[a], coarse.slot[a]
            a += 1
        else:
            merged.depth[index], merged.density[index] = fine[b], _EMPTY
            merged.near[index], merged.slot[index] = _level(space, ray, fine[b]) == _NEAR, -1
            b += 1
        met = met or merged.near[index]
    return met


@_part
def _show(head: Head, room: Room, slot: int, weight: np.float32, shown: Floats) -> None:
    """Add what one sample shows."""
    hidden = room.hidden[slot]
    for f in range(shown.shape[0]):
        value = head.feature_bias[f] + _dot(hidden, head.feature_weight[f])
        if head.activation == SIGMOID:
            value = _WIDER / (_ONE + np.float32(math.exp(-value))) - _MARGIN
        elif head.activation == LRELU:
            value = (value if value > _ZERO else value * _LEAK) * _GAIN
        shown[f] += weight * value


@_part
def _blend(head: Head, room: Room, reached: int, shown: Floats) -> tuple[np.float32, np.float32]:
    """Add up what `reached` samples show; depth weighted by opacity, and opacity."""
    merged, weights, depth, opacity = room.merged, room.weights, _ZERO, _ZERO
    for index in range(reached):
        before = weights[index - 1] if index > 0 else _ZERO
        weight = (before + (weights[index] if index < reached - 1 else _ZERO)) * _HALF
        if weight > _LEAST and merged.slot[index] >= 0:
            _show(head, room, merged.slot[index], weight, shown)
        if index > 0:
            depth += before * (merged.depth[index] + merged.depth[index - 1]) * _HALF
            opacity += before
    return depth, opacity


@_part
def _first_look(space: Space, ray: Ray, coarse: Samples, depths: Floats) -> int:
    """Lay out the samples of the first pass; the highest level along the ray."""
    highest = 0
    for index in range(depths.shape[0]):
        level = _level(space, ray, depths[index])
        coarse.depth[index], coarse.density[index] = depths[index], _EMPTY
        coarse.near[index], coarse.slot[index] = level == _NEAR, -1
        highest = max(highest, level)
    return highest


@_kernel
def look(
    head: Head,
    space: Space,
    origins: Floats,
    directions: Floats,
    depths: Floats,
    draws: Floats,
    room: Room,
    seen: Seen,
) -> None:
    """Look along R rays with origins and directions [R, 3], depths [R, S] and ascending draws [I]."""
    for number in range(directions.shape[0]):
        start, way = origins[number], directions[number]
        ray = Ray(start[0], start[1], start[2], way[0], way[1], way[2])
        highest, used = _first_look(space, ray, room.coarse, depths[number]), 0
        if highest == 0:
            continue
        if highest == _NEAR:
            used, _ = _walk(head, ray, room.coarse, 0, room)
        else:
            room.weights[:] = _ZERO
        _draw_fine(depths[number], draws, room)
        if _merge(space, ray, room):
            _, reached = _walk(head, ray, room.merged, used, room)
            seen.depth[number], seen.opacity[number] = _blend(head, room, reached, seen.features[number])
