"""From tensors to what kernels take."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from toolkit.rendering.compiled.head import LRELU, NONE, SIGMOID, BackRoom, Floats, Head, Room, Samples, Sparing
from toolkit.rendering.occupancy import Occupancy
from toolkit.rendering.trigrid_field import TrigridField

ACTIVATIONS = {"none": NONE, "sigmoid": SIGMOID, "lrelu": LRELU}
_TOGETHER = 4
"""Channels that kernels take at a time."""
_DARK, _DARKER = 12.0, 18.0
"""Optical depth behind which nothing is seen: e^-12 = 6e-6 of the light gets through, e^-18 = 2e-8."""
_LEAST, _LESS = 1e-5, 1e-7
"""Samples of less weight show no features."""


class Sizes(NamedTuple):
    """What a head is besides its tensors."""

    slices: int
    side: int
    scale: float
    crop: float | None
    activation: str


def sizes_of(field: TrigridField) -> Sizes:
    """Those of a field with volumes [B, 3, C, D, W, W]."""
    return Sizes(field.volumes.shape[3], field.volumes.shape[4], field.scale, field.crop, field.decoder.activation)


def tensors_of(field: TrigridField) -> tuple[Tensor, ...]:
    """Tables [B, 3 D W W, C'] and the decoder's weights [C', H], [H], [1 + F, H], [1 + F]; C' a multiple of 4."""
    volumes, decoder = field.volumes, field.decoder
    missing = -volumes.shape[2] % _TOGETHER
    table = volumes.permute(0, 1, 3, 4, 5, 2).reshape(len(volumes), -1, volumes.shape[2])
    first = decoder.first_weight.t()
    if missing:
        table, first = F.pad(table, (0, missing)), F.pad(first, (0, 0, 0, missing))
    return table.contiguous(), first.contiguous(), decoder.first_bias, decoder.last_weight, decoder.last_bias


def head_of(sizes: Sizes, table: Tensor, weights: tuple[Tensor, ...]) -> Head:
    """One head, from its table [3 D W W, C'] and the decoder's weights as `tensors_of` gives them."""
    first_weight, first_bias, last_weight, last_bias = (array(each) for each in weights)
    return Head(
        table=array(table),
        slices=sizes.slices,
        side=sizes.side,
        scale=np.float32(sizes.scale),
        crop=np.float32(math.inf if sizes.crop is None else sizes.crop),
        first_weight=first_weight,
        first_bias=first_bias,
        density_weight=last_weight[0],
        density_bias=last_bias[0],
        feature_weight=last_weight[1:],
        feature_bias=last_bias[1:],
        activation=ACTIVATIONS[sizes.activation],
    )


def sparing_of(space: Occupancy | None) -> Sparing:
    """What is left out: much where empty space is known, else what changes nothing beyond rounding."""
    if space is None:
        return Sparing(np.zeros(0, np.uint8), 0, np.float32(1), np.float32(_DARKER), np.float32(_LESS))
    scale = np.float32(space.cells / space.box)
    return Sparing(space.levels.numpy(), space.cells, scale, np.float32(_DARK), np.float32(_LEAST))


def room_for(head: Head, first: int, second: int) -> Room:
    """Memory for rays with so many samples in both passes."""
    channels, hidden = head.first_weight.shape
    return Room(
        coarse=_samples(first),
        merged=_samples(first + second),
        fine=_empty(second),
        weights=_empty(first + second),
        cumulative=_empty(first),
        read=_empty(channels),
        hidden=_empty(first + second, hidden),
    )


def back_room_for(head: Head, count: int) -> BackRoom:
    """Memory for the way back along rays with so many samples in all."""
    channels, hidden = head.first_weight.shape
    return BackRoom(
        weight=_empty(count),
        light=_empty(count),
        clear=_empty(count),
        slope=_empty(count),
        counts=np.empty(count, np.bool_),
        shows=_empty(count),
        to_density=_empty(count),
        read=_empty(count, channels),
        hidden=_empty(count, hidden),
        features=_empty(count, len(head.feature_bias)),
        to_hidden=_empty(hidden),
        to_read=_empty(channels),
    )


def zeros_like(tensors: tuple[Tensor, ...], wanted: bool) -> list[Floats]:
    """Sums that begin at 0; those that nobody wants have no rows."""
    return [np.zeros(each.shape if wanted else (0, *each.shape[1:]), np.float32) for each in tensors]


def array(tensor: Tensor) -> Floats:
    """A tensor's own memory where it is contiguous."""
    return tensor.detach().contiguous().numpy()


def _samples(count: int) -> Samples:
    return Samples(_empty(count), _empty(count), np.empty(count, np.bool_), np.empty(count, np.int64))


def _empty(*shape: int) -> Floats:
    return np.empty(shape, np.float32)
