"""Pictures of a head from cameras: antialiased image and mask, exact depth."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit_plugins.heads360.head import Head
from toolkit_plugins.heads360.tracing import march, shade

SIZE_LIMIT = 4096


class Picture(NamedTuple):
    """What B cameras see."""

    image: Tensor
    """[B, 3, S, S] in [-1, 1] on white."""
    mask: Tensor
    """[B, 1, S, S] in [0, 1]: the share of a pixel that the head covers."""
    depth: Tensor
    """[B, 1, S, S]: distance along the unit ray through the pixel's centre, not averaged; 0 where it meets nothing."""


@torch.no_grad()
def render(head: Head, camera: Camera, size: int, antialias: int = 2) -> Picture:
    """Look at a head; everything is computed on the camera's device.

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
    origins, directions = _rays(camera, side)
    samples = len(origins)
    if antialias > 1:  # the centres of the pixels march along, for depth
        centres = _rays(camera, size)
        origins, directions = torch.cat([origins, centres[0]]), torch.cat([directions, centres[1]])
    depth, hit = march(head, origins, directions)
    fine = slice(0, samples)
    rgb = shade(head, origins[fine], directions[fine], depth[fine], hit[fine])
    image = avg_pool2d(rgb.reshape(batch, side, side, 3).permute(0, 3, 1, 2), antialias)
    mask = avg_pool2d(hit[fine].to(rgb).reshape(batch, 1, side, side), antialias)
    return Picture(image, mask, depth[-batch * size * size :].reshape(batch, 1, size, size))


def _rays(camera: Camera, resolution: int) -> tuple[Tensor, Tensor]:
    """Origins and directions [B*R*R, 3]."""
    origins, directions = camera.rays(resolution)
    return origins[:, None].expand_as(directions).reshape(-1, 3), directions.reshape(-1, 3)
