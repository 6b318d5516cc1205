"""Which part of space holds matter: found once for a head that is seen from many sides; views skip the rest."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.rendering.marching import DensityField, KeepMask, MarchSettings

CELLS = 48
"""Cells along the box's side."""
EMPTY_BELOW = -8.0
"""Raw density below which matter is not seen: a hundred such samples along a ray have an opacity below 1e-3."""
_POINTS = 1 << 15


def occupied_space(density: DensityField, box: float, settings: MarchSettings, like: Tensor) -> KeepMask:
    """Whether points lie near matter: within one cell, and within the distance of two samples, of an occupied cell.

    Samples outside change nothing: neither they nor their neighbours along a ray are dense, where rays are sampled
    without jitter. A speck smaller than a cell that touches nothing else may be missed.

    Args:
        density: What is sampled (at the cells' centres).
        box: Side of the cube round the origin that holds everything.
        settings: Whose samples are the farthest apart that rays will have.
        like: A tensor of the type and on the device of the points.

    Returns:
        A function from world points [..., 3] to booleans [...].
    """
    centres = (torch.arange(CELLS, device=like.device, dtype=like.dtype) + 0.5) / CELLS * box - box / 2
    points = torch.stack(torch.meshgrid(centres, centres, centres, indexing="ij"), dim=-1).reshape(1, -1, 3)
    with torch.no_grad():
        found = torch.cat([density(some) for some in points.split(_POINTS, dim=1)], dim=1)
    matter = (found > EMPTY_BELOW).to(like.dtype).reshape(1, 1, CELLS, CELLS, CELLS)
    reach = 1 + math.ceil(_widest_step(settings, box) / (box / CELLS))
    for axis in range(3):
        window = [2 * reach + 1 if each == axis else 1 for each in range(3)]
        matter = F.max_pool3d(matter, window, stride=1, padding=[size // 2 for size in window])
    return _Occupied(matter.flatten() > 0, box)


class _Occupied:
    """Looks points up in a grid."""

    def __init__(self, cells: Tensor, box: float) -> None:
        self._cells, self._box = cells, box

    def __call__(self, points: Tensor) -> Tensor:
        place = (points * (CELLS / self._box) + CELLS / 2).long()
        x, y, z = place.clamp_(0, CELLS - 1).unbind(dim=-1)
        return self._cells[(x * CELLS + y) * CELLS + z]


def _widest_step(settings: MarchSettings, box: float) -> float:
    """The farthest that two neighbouring samples of a ray can be apart in the box, without jitter."""
    if isinstance(settings.start, str) or isinstance(settings.end, str):
        return math.sqrt(3) * box / (settings.count - 1)
    length = settings.end - settings.start
    if settings.disparity:
        length *= settings.end / settings.start
    return length / (settings.count - 1)
