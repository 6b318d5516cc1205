"""One point of a tri-grid: what is read there, and what the decoder makes of it."""

from __future__ import annotations

import math

import numpy as np

from toolkit.nn.activation import LEAKY_SLOPE, activation_gain
from toolkit.nn.decoder import SIGMOID_MARGIN
from toolkit.rendering.compiled.compiling import in_any_order, part
from toolkit.rendering.compiled.head import LRELU, SIGMOID, Floats, Head

Place = tuple[np.float32, np.float32, np.float32]
Four = tuple[np.float32, np.float32, np.float32, np.float32]

ZERO, HALF, ONE, TWO = (np.float32(number) for number in (0, 0.5, 1, 2))
WIDER, MARGIN = np.float32(1 + 2 * SIGMOID_MARGIN), np.float32(SIGMOID_MARGIN)
LEAK, GAIN = np.float32(LEAKY_SLOPE), np.float32(activation_gain("lrelu"))
_THIRD = np.float32(1 / 3)
_EXP = tuple(np.float32(1 / math.factorial(k)) for k in range(8))
_ODD = tuple(np.float32(1 / (2 * k + 1)) for k in range(7))
"""Coefficients of exp(y), and of the area tangent of t divided by t, in t^2."""


@part
def within(place: np.float32, last: int) -> int:
    """The whole number from 0 to `last` below a place, also below one that is not a number."""
    inside = place if place > ZERO else ZERO
    return int(inside if inside < np.float32(last) else np.float32(last))


@part
def line(coordinate: np.float32, size: int) -> tuple[int, np.float32, np.float32]:
    """The lower one of two neighbouring texels along an axis, and the shares of both; outside, they fade to 0."""
    place = coordinate * np.float32(size * 0.5) + np.float32((size - 1) * 0.5)
    low = within(place, max(size - 2, 0))
    beyond = place - np.float32(low)
    upper = max(ONE - abs(beyond - ONE), ZERO) if size > 1 else ZERO
    return low, max(ONE - abs(beyond), ZERO), upper


@part
def shares_of(slices: int, side: int, first: int, at: Place) -> tuple[np.uint64, np.uint64, np.uint64, Four, Four]:
    """Which texels of a volume, from a first row on, are read at a place, and with which shares of the mean of three.

    Returns the first of two rows of texels, the one below it, the step to the next slice, and the shares of the first,
    its neighbour and the two below them, in this slice and the next.
    """
    at_a, a0, a1 = line(at[0], side)
    at_d, d0, d1 = line(at[1], side)
    at_s, s0, s1 = line(at[2], slices)
    s0, s1 = s0 * _THIRD, s1 * _THIRD
    row = np.uint64(first + (at_s * side + at_d) * side + at_a)
    p, q, r, s = d0 * a0, d0 * a1, d1 * a0, d1 * a1
    step = np.uint64(side * side if slices > 1 else 0)
    return row, row + np.uint64(side), step, (p * s0, q * s0, r * s0, s * s0), (p * s1, q * s1, r * s1, s * s1)


@in_any_order
def add_volume(table: Floats, slices: int, side: int, first: int, at: Place, read: Floats) -> None:
    """Add a third of what one volume, from a first row on, holds at a place (across, down, deep)."""
    row, below, step, (p, q, r, s), (t, u, v, w) = shares_of(slices, side, first, at)
    one = np.uint64(1)
    for c in range(read.shape[0]):
        near = p * table[row, c] + q * table[row + one, c] + r * table[below, c] + s * table[below + one, c]
        far = t * table[row + step, c] + u * table[row + step + one, c]
        read[c] += near + far + v * table[below + step, c] + w * table[below + step + one, c]


@in_any_order
def exp_of_minus(x: np.float32) -> np.float32:
    """exp(-x) of x >= 0, within 2e-6 of its value; the 32nd power of what a series gives."""
    y = min(x, np.float32(24)) * np.float32(-1 / 32)
    e = _EXP[3] + y * (_EXP[4] + y * (_EXP[5] + y * (_EXP[6] + y * _EXP[7])))
    e = ONE + y * (ONE + y * (_EXP[2] + y * e))
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    return e * e


@in_any_order
def softplus_all(values: Floats) -> None:
    """log(1 + exp(x)) in place, within 3e-7; log by the area tangent, by its series."""
    for h in range(values.shape[0]):
        x = values[h]
        e = exp_of_minus(abs(x))
        t = e / (TWO + e)
        u = t * t
        s = ONE + u * (_ODD[1] + u * (_ODD[2] + u * (_ODD[3] + u * (_ODD[4] + u * (_ODD[5] + u * _ODD[6])))))
        values[h] = max(x, ZERO) + TWO * t * s


@in_any_order
def dense(read: Floats, weight: Floats, bias: Floats, out: Floats) -> None:
    """From channels [C] to [H], by a weight [C, H]."""
    for h in range(out.shape[0]):
        out[h] = bias[h]
    for c in range(0, read.shape[0], 4):
        a, b, d, e = read[c], read[c + 1], read[c + 2], read[c + 3]
        for h in range(out.shape[0]):
            out[h] += a * weight[c, h] + b * weight[c + 1, h] + d * weight[c + 2, h] + e * weight[c + 3, h]


@in_any_order
def dot(first: Floats, second: Floats) -> np.float32:
    """The sum of products."""
    total = ZERO
    for h in range(first.shape[0]):
        total += first[h] * second[h]
    return total


@part
def read_point(head: Head, x: np.float32, y: np.float32, z: np.float32, read: Floats) -> None:
    """What a tri-grid holds at a world point: channels [C]."""
    for c in range(read.shape[0]):
        read[c] = ZERO
    u, v, w = x * head.scale, y * head.scale, z * head.scale
    table, slices, side = head.table, head.slices, head.side
    volume = slices * side * side
    add_volume(table, slices, side, 0, (u, v, w), read)
    add_volume(table, slices, side, volume, (u, w, v), read)
    add_volume(table, slices, side, 2 * volume, (v, w, u), read)


@part
def activate(head: Head, read: Floats, hidden: Floats) -> None:
    """From channels [C] to activations [H], from which density and features come."""
    dense(read, head.first_weight, head.first_bias, hidden)
    softplus_all(hidden)


@part
def feature(head: Head, hidden: Floats, number: int) -> np.float32:
    """One feature of a point."""
    value = head.feature_bias[number] + dot(hidden, head.feature_weight[number])
    if head.activation == SIGMOID:
        return WIDER / (ONE + np.float32(math.exp(-value))) - MARGIN
    if head.activation == LRELU:
        return (value if value > ZERO else value * LEAK) * GAIN
    return value
