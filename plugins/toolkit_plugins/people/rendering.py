"""Pictures of a head from cameras: antialiased image and mask, exact depth and labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit_plugins.people.head import Head
from toolkit_plugins.people.tracing import trace

SIZE_LIMIT = 4096


class Picture(NamedTuple):
    """What B cameras see."""

    image: Tensor
    """[B, 3, S, S] in [-1, 1] on white."""
    mask: Tensor
    """[B, 1, S, S] in [0, 1]: the share of a pixel that the head covers."""
    depth: Tensor
    """[B, 1, S, S]: distance along the unit ray through the pixel's centre, not averaged; 0 where it meets nothing."""
    label: Tensor
    """[B, 1, S, S] uint8: what that ray sees (see `Label`)."""


@torch.no_grad()
def render(head: Head, camera: Camera, size: int, antialias: int = 2) -> Picture:
    """Look at a head.

    Args:
        head: The head.
        camera: Batch of B.
        size: Side of the picture in pixels.
        antialias: Rays per pixel along each side.

    Raises:
        InputError: `size` is not in 1..4096, or `antialias` not in 1..8.
    """
    if not 1 <= size <= SIZE_LIMIT:
        raise InputError(f"size must be 1..{SIZE_LIMIT} pixels, got {size}")
    if not 1 <= antialias <= 8:
        raise InputError(f"antialias must be 1..8 rays along each side of a pixel, got {antialias}")
    side, batch = size * antialias, len(camera)
    fine = trace(head, *_rays(camera, side))
    centre = fine if antialias == 1 else trace(head, *_rays(camera, size))
    rgb = torch.from_numpy(fine.rgb).reshape(batch, side, side, 3).permute(0, 3, 1, 2)
    hit = torch.from_numpy((fine.depth > 0).astype(np.float32)).reshape(batch, 1, side, side)
    shape = (batch, 1, size, size)
    return Picture(
        avg_pool2d(rgb, antialias) * 2 - 1,
        avg_pool2d(hit, antialias),
        torch.from_numpy(centre.depth).reshape(shape),
        torch.from_numpy(centre.label).reshape(shape),
    )


def _rays(camera: Camera, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Origins and directions [B*R*R, 3]."""
    origins, directions = camera.rays(resolution)
    return origins[:, None].expand_as(directions).reshape(-1, 3).numpy(), directions.reshape(-1, 3).numpy()
