"""The way back along rays: what outputs ask of a tri-grid and its decoder. What was seen is computed again."""

from __future__ import annotations

import numpy as np

from toolkit.rendering.compiled.compiling import in_any_order, kernel, part
from toolkit.rendering.compiled.head import LRELU, SIGMOID, BackRoom, Floats, Gradients, Head, Kept, Ray, Seen
from toolkit.rendering.compiled.points import (
    GAIN,
    HALF,
    LEAK,
    MARGIN,
    ONE,
    WIDER,
    ZERO,
    Place,
    activate,
    dot,
    exp_of_minus,
    feature,
    read_point,
    shares_of,
)
from toolkit.rendering.compiled.rays import TRANSMITTANCE, at, opacity_of, outside, ray_of, softplus

_NOTHING = np.float32(1e-7)
"""Weight, and change of weight with density, below which a sample asks for nothing."""


@part
def _lighten(depth: Floats, density: Floats, reached: int, room: BackRoom) -> None:
    """Fill in, for the interval that ends at each sample: weight, light before and after it, and its slope."""
    light = ONE
    room.weight[0] = room.light[0] = room.slope[0] = ZERO
    for index in range(1, reached):
        spacing, mean = depth[index] - depth[index - 1], (density[index - 1] + density[index]) * HALF - ONE
        opacity = opacity_of(softplus(mean) * spacing)
        room.weight[index], room.light[index], room.clear[index] = opacity * light, light, ONE - opacity
        room.slope[index] = spacing * opacity_of(softplus(mean))  # 1 - exp(-softplus(x)) is the sigmoid of x
        light *= ONE - opacity + TRANSMITTANCE


@part
def _counts(room: BackRoom, index: int, reached: int) -> bool:
    """Whether a sample is seen, or would be if it were a little denser."""
    most = ZERO
    for end in range(index, min(index + 2, reached)):
        most = max(most, max(room.weight[end], room.slope[end] * room.light[end]))
    return bool(most > _NOTHING)


@part
def _ask(head: Head, ray: Ray, depth: Floats, reached: int, wanted: Floats, room: BackRoom) -> None:
    """Evaluate samples that count again; what each of them shows, in the direction that is asked for."""
    for index in range(reached):
        room.shows[index] = ZERO
        room.counts[index] = _counts(room, index, reached)
        if room.counts[index]:
            x, y, z = at(ray, depth[index])
            read_point(head, x, y, z, room.read[index])
            activate(head, room.read[index], room.hidden[index])
            for number in range(wanted.shape[0]):
                room.features[index, number] = feature(head, room.hidden[index], number)
            room.shows[index] = dot(room.features[index], wanted)


@part
def _densities(depth: Floats, reached: int, to_depth: np.float32, to_opacity: np.float32, room: BackRoom) -> None:
    """What is asked of the densities of samples, from back to front."""
    behind = ZERO
    for index in range(reached):
        room.to_density[index] = ZERO
    for index in range(reached - 1, 0, -1):
        clear, weight = room.clear[index], room.weight[index]
        asked = (room.shows[index - 1] + room.shows[index]) * HALF + to_opacity
        asked += to_depth * (depth[index - 1] + depth[index]) * HALF
        to_thickness = clear * (asked * room.light[index] - behind / (clear + TRANSMITTANCE))
        behind += asked * weight
        change = to_thickness * room.slope[index] * HALF
        room.to_density[index - 1] += change
        room.to_density[index] += change


@part
def _slope_of_feature(head: Head, value: np.float32) -> np.float32:
    """How a feature grows with what the last layer gives, from the feature itself."""
    if head.activation == SIGMOID:
        share = (value + MARGIN) / WIDER
        return WIDER * share * (ONE - share)
    if head.activation == LRELU:
        return GAIN if value > ZERO else GAIN * LEAK
    return ONE


@in_any_order
def _add(amount: np.float32, values: Floats, total: Floats) -> None:
    for place in range(total.shape[0]):
        total[place] += amount * values[place]


@in_any_order
def _before_softplus(hidden: Floats, asked: Floats) -> None:
    """Through softplus: its slope is 1 - exp(-softplus)."""
    for place in range(hidden.shape[0]):
        asked[place] *= ONE - exp_of_minus(hidden[place])


@part
def _decode_back(head: Head, wanted: Floats, weight: np.float32, index: int, room: BackRoom, back: Gradients) -> None:
    """What a sample asks of the decoder, and of the channels that it read (into `room.to_read`)."""
    hidden, asked, learns = room.hidden[index], room.to_hidden, back.first_bias.shape[0] > 0
    density = room.to_density[index]
    for place in range(asked.shape[0]):
        asked[place] = density * head.density_weight[place]
    for number in range(wanted.shape[0]):
        one = weight * wanted[number] * _slope_of_feature(head, room.features[index, number])
        _add(one, head.feature_weight[number], asked)
        if learns:
            _add(one, hidden, back.last_weight[number + 1])
            back.last_bias[number + 1] += one
    if learns:
        _add(density, hidden, back.last_weight[0])
        back.last_bias[0] += density
    _before_softplus(hidden, asked)
    for channel in range(room.to_read.shape[0]):
        room.to_read[channel] = dot(asked, head.first_weight[channel])
        if learns:
            _add(room.read[index, channel], asked, back.first_weight[channel])
    if learns:
        _add(ONE, asked, back.first_bias)


@in_any_order
def _spread(table: Floats, slices: int, side: int, first: int, place: Place, asked: Floats) -> None:
    """The adjoint of `add_volume`."""
    row, below, step, (p, q, r, s), (t, u, v, w) = shares_of(slices, side, first, place)
    one = np.uint64(1)
    for c in range(asked.shape[0]):
        table[row, c] += p * asked[c]
        table[row + one, c] += q * asked[c]
        table[below, c] += r * asked[c]
        table[below + one, c] += s * asked[c]
        table[row + step, c] += t * asked[c]
        table[row + step + one, c] += u * asked[c]
        table[below + step, c] += v * asked[c]
        table[below + step + one, c] += w * asked[c]


@part
def _read_back(head: Head, ray: Ray, depth: np.float32, asked: Floats, table: Floats) -> None:
    """Spread what is asked of channels [C] at a depth over the texels that were read."""
    x, y, z = at(ray, depth)
    u, v, w = x * head.scale, y * head.scale, z * head.scale
    slices, side = head.slices, head.side
    volume = slices * side * side
    _spread(table, slices, side, 0, (u, v, w), asked)
    _spread(table, slices, side, volume, (u, w, v), asked)
    _spread(table, slices, side, 2 * volume, (v, w, u), asked)


@kernel
def look_back(
    head: Head, origins: Floats, directions: Floats, kept: Kept, asked: Seen, room: BackRoom, back: Gradients
) -> None:
    """Add what R outputs ask of the head to `back`; rays as for `look`."""
    for number in range(directions.shape[0]):
        reached, wanted = kept.reached[number], asked.features[number]
        if reached == 0:
            continue
        ray, depth = ray_of(origins, directions, number), kept.depth[number]
        _lighten(depth, kept.density[number], reached, room)
        _ask(head, ray, depth, reached, wanted, room)
        _densities(depth, reached, asked.depth[number], asked.opacity[number], room)
        for index in range(reached):
            if not room.counts[index]:
                continue
            x, _, z = at(ray, depth[index])
            if outside(head, x, z):
                room.to_density[index] = ZERO
            weight = (room.weight[index] + (room.weight[index + 1] if index < reached - 1 else ZERO)) * HALF
            _decode_back(head, wanted, weight, index, room, back)
            if back.table.shape[0] > 0:
                _read_back(head, ray, depth[index], room.to_read, back.table)
