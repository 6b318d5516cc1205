"""How the spherical generator keeps a head: two maps round the vertical axis, channels last.

Map 0 is read by (polar angle, azimuth), map 1 by (radius, azimuth). Azimuth 0 is the front (+z), rows are the polar
angle from the crown (+y) or the radius from the centre. The azimuth wraps around, the rows do not.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

MAPS = 2
ROWS = 12
COLUMNS = 24
CHANNELS = 6
_TINY = 1e-12


class Polar(NamedTuple):
    """Points in the maps' coordinates, each [B, M]."""

    theta: Tensor
    """Angle from +y in radians, 0..pi."""
    phi: Tensor
    """Angle round y in radians, -pi..pi, 0 towards +z, positive towards +x."""
    radius: Tensor
    """Distance from the origin in world units."""


def to_polar(points: Tensor) -> Polar:
    """Convert world points [B, M, 3]; values and gradients are finite everywhere, the axis and the origin included."""
    x, y, z = points.unbind(-1)
    on_axis = (x == 0) & (z == 0)
    from_axis = (x.square() + z.square() + _TINY).sqrt()
    phi = torch.atan2(x, torch.where(on_axis, torch.ones_like(z), z))
    return Polar(torch.atan2(from_axis, y), phi, (points.square().sum(-1) + _TINY).sqrt())


def sample(maps: Tensor, points: Tensor, radius_limit: float) -> Tensor:
    """Read maps at world points, bilinearly, without the mean over the maps.

    Args:
        maps: [B, 2, 12, 24, C].
        points: [B, M, 3] in world units.
        radius_limit: Radius of map 1's last row; points beyond read that row.

    Returns:
        [B, 2, M, C].
    """
    polar = to_polar(points)
    column = polar.phi / (2 * math.pi) + 0.5
    rows = torch.stack([polar.theta / math.pi, (polar.radius / radius_limit).clamp(max=1.0)], dim=1)
    batch, count = points.shape[:2]
    stack = maps.permute(0, 1, 4, 2, 3).reshape(batch * MAPS, maps.shape[-1], ROWS, COLUMNS)
    wrapped = F.pad(stack, (1, 1, 0, 0), mode="circular")
    u = (column[:, None].expand_as(rows) * COLUMNS + 1) / (COLUMNS + 2) * 2 - 1
    grid = torch.stack([u, rows * 2 - 1], dim=-1).reshape(batch * MAPS, 1, count, 2)
    values = F.grid_sample(wrapped, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return values[:, :, 0].reshape(batch, MAPS, maps.shape[-1], count).transpose(2, 3)


def splat(points: Tensor, weights: Tensor, radius_limit: float) -> Tensor:
    """Accumulate point weights where `sample` reads: its adjoint, taken by differentiating it.

    Args:
        points: [B, M, 3] in world units.
        weights: [B, M].
        radius_limit: As for `sample`.

    Returns:
        [B, 2, 12, 24], no gradient.
    """
    with torch.inference_mode(False), torch.enable_grad():
        maps = points.new_zeros(points.shape[0], MAPS, ROWS, COLUMNS, 1).requires_grad_()
        read = sample(maps, points.detach().clone(), radius_limit)[..., 0]
        (gradient,) = torch.autograd.grad((read * weights.detach().clone()[:, None]).sum(), maps)
    return gradient[..., 0]


def close(occupancy: Tensor, radius: int) -> Tensor:
    """Dilate, then erode 0/1 maps [B, 2, 12, 24] by a square of side 2*radius + 1; wraps in azimuth only."""
    radius = min(radius, ROWS)
    dilated = _largest_near(occupancy, radius, outside=0.0)
    return 1.0 - _largest_near(1.0 - dilated, radius, outside=0.0)


def smooth(occupancy: Tensor, size: int = 9, sigma: float = 1.5) -> Tensor:
    """Blur maps [B, 2, 12, 24] with a Gaussian; azimuth wraps, the outer rows repeat."""
    reach = size // 2
    offsets = torch.arange(-reach, reach + 1, dtype=occupancy.dtype, device=occupancy.device)
    kernel = torch.exp(-0.5 * (offsets / sigma).square())
    kernel = kernel / kernel.sum()
    flat = occupancy.reshape(-1, 1, ROWS, COLUMNS)
    flat = F.pad(F.pad(flat, (reach, reach, 0, 0), mode="circular"), (0, 0, reach, reach), mode="replicate")
    return F.conv2d(F.conv2d(flat, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1)).reshape(occupancy.shape)


def _largest_near(occupancy: Tensor, radius: int, outside: float) -> Tensor:
    flat = occupancy.reshape(-1, 1, ROWS, COLUMNS)
    flat = F.pad(F.pad(flat, (radius, radius, 0, 0), mode="circular"), (0, 0, radius, radius), value=outside)
    return F.max_pool2d(flat, 2 * radius + 1, stride=1).reshape(occupancy.shape)
