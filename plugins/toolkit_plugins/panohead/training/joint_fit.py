"""Fit one W+ code to many views of one head: the best that the generator can show of it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.rendering.rays import Rays, rays_through
from toolkit.rendering.sampling import Draws
from toolkit_plugins.panohead.generator import PanoHead
from toolkit_plugins.panohead.training.batches import PatchBatch
from toolkit_plugins.panohead.training.objective import MARGIN, patch_render

SAMPLES = (16, 8)
"""Stratified and importance samples of a ray while fitting."""


def fit_jointly(
    generator: PanoHead,
    ws: Tensor,
    cameras: Camera,
    images: Tensor,
    *,
    steps: int = 150,
    rate: float = 0.02,
    side: int = 32,
    seed: int = 0,
) -> Tensor:
    """Adam on a W+ code, by the squared error of random patches of random views.

    Args:
        generator: Frozen; its parameters are not touched.
        ws: Where to start, [1, num_ws, w_dim].
        cameras: V cameras.
        images: [V, 3, S, S] in [-1, 1], on white.
        steps: Number of patches.
        rate: Of Adam; falls to zero over the last half.
        side: Side of a patch in rays.
        seed: Of patches and samples.

    Returns:
        The fitted code [1, num_ws, w_dim].
    """
    source = torch.Generator().manual_seed(seed)
    code = ws.detach().clone().requires_grad_(True)
    optimiser = torch.optim.Adam([code], lr=rate)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = rate * min(1.0, 2 * (steps - step) / steps)
        view = int(torch.randint(len(cameras), (), generator=source))
        patch = _patch(generator, cameras[view], images[view], side, source)
        volumes = generator.volumes(generator.planes(code, noise="none"))
        settings = replace(generator.march_settings, count=SAMPLES[0], importance=SAMPLES[1])
        image = patch_render(generator, volumes, code, patch, settings, Draws(generator=source)).image
        inner = MARGIN * generator.config.image_size // generator.config.sr_input
        error = (image - patch.image)[..., inner:-inner, inner:-inner]
        optimiser.zero_grad(set_to_none=True)
        error.square().mean().backward(inputs=[code])
        optimiser.step()
    return code.detach()


def _patch(generator: PanoHead, camera: Camera, image: Tensor, side: int, source: torch.Generator) -> PatchBatch:
    grid = generator.config.raw_size
    scale = image.shape[-1] // grid
    row, column = (int(torch.randint(grid - side + 1, (), generator=source)) for _ in range(2))
    steps = (torch.arange(side) + 0.5) / grid
    rows, columns = (row / grid + steps)[:, None].expand(side, side), (column / grid + steps).expand(side, side)
    places = torch.stack([columns, rows], -1)[None]
    rays: Rays = rays_through(camera, places.flatten(1, 2))
    seen = image[None, :, row * scale : (row + side) * scale, column * scale : (column + side) * scale]
    return PatchBatch(rays, places, seen, torch.ones_like(seen[:, :1]))
