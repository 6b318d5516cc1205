"""GOAE's mix of two tri-planes: aligned ones where the input view sees the (x, y) plane, the code's own elsewhere.

This is the published rule, kept for comparison: only the first plane is mixed, every pixel counts as a hit (background
included), and points outside the box mark its border. `toolkit.rendering.occlusion` is the exact mask of any generator.
"""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit.camera import Camera, as_camera
from toolkit.errors import InputError
from toolkit.nn.morphology import smooth
from toolkit.rendering.rays import camera_rays, points_on

THRESHOLD = 0.35
"""Blurred density of hits above which a texel counts as seen."""
SIGMA = 1.5
"""Texels. The official code draws it between 1 and 2 at every call."""


def hit_map(camera: Camera | Tensor, depth: Tensor, size: int, box: float = 1.0) -> Tensor:
    """Texels of the (x, y) plane that surface points fall into.

    Args:
        camera: B cameras, or one for all.
        depth: [B, 1, R, R], distance along the unit ray. NaN hits the first texel, since no index is NaN; the planes
            that it comes from say what is wrong.
        size: Side of the plane in texels.
        box: Side of the box that the plane spans.

    Returns:
        [B, 1, size, size], 0 or 1; rows are y, columns x.

    Raises:
        InputError: The depth has another shape.
    """
    if depth.ndim != 4 or depth.shape[1] != 1 or depth.shape[2] != depth.shape[3]:
        raise InputError(f"depth must be [B, 1, R, R], got {list(depth.shape)}")
    batch, resolution = depth.shape[0], depth.shape[-1]
    cameras = as_camera(camera).to(depth.device).to(depth.dtype).expand(batch)
    points = points_on(camera_rays(cameras, resolution), depth.reshape(batch, -1, 1))[:, :, 0]
    texels = ((points[..., :2] / box + 0.5) * size).nan_to_num(0).clamp(0, size - 1).long()
    hits = depth.new_zeros(batch, size * size)
    hits.scatter_(1, texels[..., 1] * size + texels[..., 0], 1.0)
    return hits.reshape(batch, 1, size, size)


def visibility(hits: Tensor, sigma: float = SIGMA) -> Tensor:
    """Soft mask [B, 1, S, S] in [0, 1] of a hit map: blurred, cut at the threshold, blurred again."""
    return smooth((smooth(hits, sigma) > THRESHOLD).to(hits.dtype), sigma)


def mix_planes(aligned: Tensor, plain: Tensor, mask: Tensor) -> Tensor:
    """Join tri-planes [B, 3, C, S, S] by a mask [B, 1, S, S]; 1 takes `aligned`. Planes 1 and 2 are `aligned`'s.

    Raises:
        InputError: The shapes do not fit.
    """
    fitting = aligned.ndim == 5 and mask.shape == (aligned.shape[0], 1, *aligned.shape[3:])
    if aligned.shape != plain.shape or not fitting:
        raise InputError(
            "the mix takes planes [B, 3, C, S, S] alike and a mask [B, 1, S, S], got "
            f"{list(aligned.shape)}, {list(plain.shape)} and {list(mask.shape)}"
        )
    first = mask * aligned[:, 0] + (1 - mask) * plain[:, 0]
    return torch.cat([first[:, None], aligned[:, 1:]], dim=1)
