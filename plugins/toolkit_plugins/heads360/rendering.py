"""Pictures of a head from cameras: antialiased image and mask, exact depth and labels.

Rays through the pixels' centres come first. They give depth and labels, and they tell where more rays change
nothing: pixels whose neighbourhood shows one kind of surface, even in depth and colour, keep the centre's colour.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit.rendering.rays import rays_through
from toolkit_plugins.heads360.geometry import F32, Floats, Mask
from toolkit_plugins.heads360.head import Head
from toolkit_plugins.heads360.labels import Label
from toolkit_plugins.heads360.parts import STRANDS, one_of
from toolkit_plugins.heads360.scene import Hits
from toolkit_plugins.heads360.tracing import Seen, first_hits, seen_of, trace

SIZE_LIMIT = 4096
_EVEN_LABELS = (Label.BACKGROUND, Label.SKIN, Label.NECK, Label.EAR, Label.CLOTH)
"""What may be seen by one ray alone; eyes, lips, strands and accessories have fine parts."""
_EVEN_COLOUR = 0.10
_EVEN_DEPTH = 0.035
"""Largest difference of brightness (0..1) and depth (world units) between even neighbours."""


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
def render(head: Head, camera: Camera, size: int, antialias: int = 2, everywhere: bool = False) -> Picture:
    """Look at a head.

    Args:
        head: The head.
        camera: Batch of B.
        size: Side of the picture in pixels.
        antialias: Rays per pixel along each side, where there is an edge or a fine part.
        everywhere: As many rays in every pixel: the slow twin.

    Raises:
        InputError: `size` is not in 1..4096, or `antialias` not in 1..8.
    """
    if not 1 <= size <= SIZE_LIMIT:
        raise InputError(f"size must be 1..{SIZE_LIMIT} pixels, got {size}")
    if not 1 <= antialias <= 8:
        raise InputError(f"antialias must be 1..8 rays along each side of a pixel, got {antialias}")
    views = [_view(head, camera.label[index : index + 1], size, antialias, everywhere) for index in range(len(camera))]
    image, mask, depth, label = (torch.from_numpy(np.stack(part)) for part in zip(*views, strict=True))
    return Picture(image.permute(0, 3, 1, 2) * 2 - 1, mask[:, None], depth[:, None], label[:, None])


def _view(
    head: Head, camera_label: Tensor, size: int, antialias: int, everywhere: bool
) -> tuple[Floats, Floats, Floats, np.ndarray]:
    """Colour [S, S, 3] in 0..1, mask, depth and labels [S, S] of one camera."""
    camera = Camera(camera_label)
    rays = _rays(camera, np.arange(size * size), size)
    hits = first_hits(head, *rays)
    centre = seen_of(head, *rays, hits, None if antialias == 1 else _compared(head, hits, size))
    rgb, covered = centre.rgb.copy(), (centre.depth > 0).astype(F32)
    if antialias > 1:
        fine = np.ones(size * size, bool) if everywhere else _uneven(centre, size).ravel()
        chosen = np.nonzero(fine)[0]
        seen = trace(head, *_rays(camera, _inside(chosen, size, antialias), size * antialias))
        rgb[chosen] = seen.rgb.reshape(len(chosen), antialias**2, 3).mean(1)
        covered[chosen] = (seen.depth > 0).reshape(len(chosen), antialias**2).mean(1)
    square = (size, size)
    return rgb.reshape(*square, 3), covered.reshape(square), centre.depth.reshape(square), centre.label.reshape(square)


def _compared(head: Head, hits: Hits, size: int) -> Mask:
    """Rays [S * S] whose colours `_uneven` looks at: in the midst of strands, it looks at none."""
    strands = one_of(head.solid.kinds[hits.triangle], STRANDS) & (hits.triangle >= 0)
    maybe_even = ~ndimage.maximum_filter(strands.reshape(size, size), 3)
    return np.asarray(ndimage.maximum_filter(maybe_even, 3).ravel())


def _uneven(centre: Seen, size: int) -> Mask:
    """Pixels [S, S] with an edge or a fine part among their neighbours."""
    label, depth = centre.label.reshape(size, size), centre.depth.reshape(size, size)
    grey = centre.rgb.mean(1).reshape(size, size)
    uneven = ~np.isin(label, [int(even) for even in _EVEN_LABELS])
    uneven = ndimage.maximum_filter(uneven, 3)
    for values, most in ((label.astype(F32), 0.5), (depth, _EVEN_DEPTH), (grey, _EVEN_COLOUR)):
        uneven |= ndimage.maximum_filter(values, 3) - ndimage.minimum_filter(values, 3) > most
    return uneven


def _inside(pixels: np.ndarray, size: int, antialias: int) -> np.ndarray:
    """Indices [N * antialias^2] of the fine rays inside some pixels [N] of a square picture."""
    row, column = pixels // size, pixels % size
    step = np.arange(antialias)
    rows = row[:, None, None] * antialias + step[:, None]
    columns = column[:, None, None] * antialias + step
    return np.asarray((rows * (size * antialias) + columns).reshape(-1))


def _rays(camera: Camera, pixels: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Origins and directions [N, 3] of one camera through the centres of some pixels [N] of a square picture."""
    row, column = (torch.from_numpy(index) for index in np.divmod(pixels, size))
    rays = rays_through(camera, ((torch.stack([column, row], -1) + 0.5) / size)[None])
    return rays.origins[0].expand(len(pixels), 3).numpy(), rays.directions[0].numpy()
