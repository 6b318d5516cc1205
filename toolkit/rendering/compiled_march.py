"""Views of one head through compiled kernels: for tri-grids that are seen many times, on a CPU, without gradients.

The slow twin is `toolkit.rendering.marching.march`, from which no number differs by more than 1e-3.
"""

from __future__ import annotations

import math

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from toolkit.rendering import compiled_kernels
from toolkit.rendering.compiled_head import LRELU, NONE, SIGMOID, Floats, Head, Room, Samples, Seen, Space
from toolkit.rendering.marching import Marched, MarchSettings, finished, sample_depths
from toolkit.rendering.occupancy import Occupancy
from toolkit.rendering.rays import Rays
from toolkit.rendering.sampling import FIXED_DRAWS
from toolkit.rendering.trigrid_field import TrigridField

_ACTIVATIONS = {"none": NONE, "sigmoid": SIGMOID, "lrelu": LRELU}
_TOGETHER = 4
"""Channels that kernels take at a time."""


def march_compiled(field: TrigridField, rays: Rays, settings: MarchSettings, space: Occupancy) -> Marched:
    """Render features, depth and opacity of one head along rays, with fixed draws.

    Args:
        field: What is rendered, the same for all views; float32, volumes [1, 3, C, D, W, W], W at least 2.
        rays: Origins and directions of B views with R rays each.
        settings: Where to sample; in two passes (`settings.importance` is not 0).
        space: Where the field holds matter.

    Returns:
        As `march` does.
    """
    batch, count, _ = rays.directions.shape
    depths, draws = sample_depths(rays, settings, FIXED_DRAWS)
    assert draws is not None  # for the type checker: there are two passes
    shown = field.decoder.last_weight.shape[0] - 1
    features, depth_sum, opacity = (depths.new_zeros(batch * count, *size) for size in ((shown,), (), ()))
    head = _head(field)
    compiled_kernels.look(
        head,
        Space(space.levels.numpy(), space.cells, np.float32(space.cells / space.box)),
        _array(rays.origins.expand_as(rays.directions).reshape(-1, 3)),
        _array(rays.directions.reshape(-1, 3)),
        _array(depths.reshape(-1, settings.count)),
        _array(draws[0, 0]),
        _room(head, settings),
        Seen(_array(features), _array(depth_sum), _array(opacity)),
    )
    return finished(
        features.unflatten(0, (batch, count)).transpose(1, 2),
        depth_sum.view(batch, count),
        opacity.view(batch, count),
        depths.amin(),
        depths.amax(),
        settings,
    )


def _head(field: TrigridField) -> Head:
    volumes, decoder = field.volumes, field.decoder
    missing = -volumes.shape[2] % _TOGETHER
    table = volumes[0].permute(0, 2, 3, 4, 1).reshape(-1, volumes.shape[2])
    last = _array(decoder.last_weight)
    return Head(
        table=_array(F.pad(table, (0, missing))),
        slices=volumes.shape[3],
        side=volumes.shape[4],
        scale=np.float32(field.scale),
        crop=np.float32(math.inf if field.crop is None else field.crop),
        first_weight=_array(F.pad(decoder.first_weight.t(), (0, 0, 0, missing))),
        first_bias=_array(decoder.first_bias),
        density_weight=last[0],
        density_bias=np.float32(decoder.last_bias[0]),
        feature_weight=last[1:],
        feature_bias=_array(decoder.last_bias[1:]),
        activation=_ACTIVATIONS[decoder.activation],
    )


def _room(head: Head, settings: MarchSettings) -> Room:
    channels, hidden = head.first_weight.shape
    first, both = settings.count, settings.count + settings.importance
    return Room(
        coarse=_samples(first),
        merged=_samples(both),
        fine=np.empty(settings.importance, np.float32),
        weights=np.empty(both, np.float32),
        cumulative=np.empty(first, np.float32),
        read=np.empty(channels, np.float32),
        hidden=np.empty((both, hidden), np.float32),
    )


def _samples(count: int) -> Samples:
    numbers = np.empty((2, count), np.float32)
    return Samples(numbers[0], numbers[1], np.empty(count, np.bool_), np.empty(count, np.int64))


def _array(tensor: Tensor) -> Floats:
    """A tensor's own memory where it is contiguous."""
    return tensor.detach().contiguous().numpy()
