"""Which part of space holds matter: found once for a head that is seen from many sides; views skip the rest."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.rendering.marching import DensityField, MarchSettings

CELLS = 64
"""Cells along the box's side."""
EMPTY_BELOW = -8.0
"""Raw density below which matter is not seen: a hundred such samples along a ray have an opacity below 1e-3."""
_NEARLY = -5.0
"""Raw density, before it is scaled, below which no sheet of matter that is thinner than a cell may be near."""
_NEAR_CELLS = 1
"""Cells that matter may reach beyond the cells in whose centres it is found."""
_POINTS = 1 << 15


class Occupancy:
    """Looks points up in a grid: how near they lie to matter."""

    NEAR, AROUND = 2, 1
    """Levels: within one cell of an occupied one; within the distance of two samples, too."""

    def __init__(self, levels: Tensor, box: float) -> None:
        """Take the levels of all cells [CELLS^3], uint8, of a cube of side `box` round the origin."""
        self.levels, self.box = levels, box
        self.cells = round(len(levels) ** (1 / 3))

    def __call__(self, points: Tensor) -> Tensor:
        """Whether world points [..., 3] lie around matter."""
        flat = points.reshape(-1, 3)
        levels = self.along(torch.zeros_like(flat[:1]), flat, points.new_ones(1, 1))
        return (levels >= self.AROUND).view(points.shape[:-1])

    def along(self, origins: Tensor, directions: Tensor, depths: Tensor) -> Tensor:
        """Levels [R, S] at depths [R, S] of rays; beyond the cube, those at its border.

        Args:
            origins: [R, 3], or [1, 3] for all.
            directions: [R, 3].
            depths: [R, S], or [1, S] for all.
        """
        scale = self.cells / self.box
        first, step = ((part * scale).t().contiguous()[..., None] for part in (origins, directions))
        place = torch.addcmul(first.add_(self.cells / 2), step, depths).clamp_(0, self.cells - 1).to(torch.int32)
        x, y, z = place.unbind(dim=0)
        index = x.mul_(self.cells).add_(y).mul_(self.cells).add_(z)
        return self.levels.index_select(0, index.view(-1)).view(index.shape)


def occupied_space(
    density: DensityField, box: float, settings: MarchSettings, like: Tensor, scale: float = 1.0
) -> Occupancy:
    """Whether points lie near matter: within one cell, and within the distance of two samples, of an occupied cell.

    Samples outside change nothing: neither they nor their neighbours along a ray are dense, where rays are sampled
    without jitter. A sheet or speck thinner than a cell is found where the density at a cell's centre rises towards it
    (`_NEARLY`); a steeper one that touches nothing else may be missed.

    Args:
        density: What is sampled (at the cells' centres).
        box: Side of the cube round the origin that holds everything.
        settings: Whose samples are the farthest apart that rays will have.
        like: A tensor of the type and on the device of the points.
        scale: Factor that the field's raw densities have.

    Returns:
        A function from world points [..., 3] to booleans [...], which also knows how near matter is.
    """
    centres = (torch.arange(CELLS, device=like.device, dtype=like.dtype) + 0.5) / CELLS * box - box / 2
    points = torch.stack(torch.meshgrid(centres, centres, centres, indexing="ij"), dim=-1).reshape(1, -1, 3)
    with torch.no_grad():
        found = torch.cat([density(some) for some in points.split(_POINTS, dim=1)], dim=1)
    matter = (found > min(EMPTY_BELOW, _NEARLY * scale)).to(like.dtype).reshape(1, 1, CELLS, CELLS, CELLS)
    step = _widest_step(settings, box) / (box / CELLS)
    near = _dilated(matter, _NEAR_CELLS)
    # a sample of the second pass lies within half a step of one of the first
    around = _dilated(matter, max(1 + math.ceil(step), _NEAR_CELLS + 1 + math.ceil(step / 2)))
    return Occupancy((near + around).flatten().to(torch.uint8), box)


def _dilated(matter: Tensor, reach: int) -> Tensor:
    """Matter [1, 1, X, Y, Z] (0 or 1), wider by some cells."""
    for axis in range(3):
        window = [2 * reach + 1 if each == axis else 1 for each in range(3)]
        matter = F.max_pool3d(matter, window, stride=1, padding=[size // 2 for size in window])
    return matter


def _widest_step(settings: MarchSettings, box: float) -> float:
    """The farthest that two neighbouring samples of a ray can be apart in the box, without jitter."""
    if isinstance(settings.start, str) or isinstance(settings.end, str):
        return math.sqrt(3) * box / (settings.count - 1)
    length = settings.end - settings.start
    if settings.disparity:
        length *= settings.end / settings.start
    return length / (settings.count - 1)
