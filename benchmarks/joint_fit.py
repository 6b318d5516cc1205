"""Fit one W+ code to many views of one head: what the generator can show of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.interfaces import Generator
from toolkit_plugins.optimisation.objective import Objective
from toolkit_plugins.photo_networks.losses import open_lite0


def fit_jointly(
    generator: Generator,
    ws: Tensor,
    cameras: Camera,
    images: Tensor,
    faces: Sequence[int],
    *,
    steps: int,
    rate: float = 0.03,
    seed: int = 0,
) -> Tensor:
    """Adam on a W+ code, by the distance of whole views: `lite0`, and the squared error.

    Args:
        generator: Frozen; its parameters are not touched.
        ws: Where to start, [1, num_ws, w_dim].
        cameras: V cameras.
        images: [V, 3, S, S] in [-1, 1], on white.
        faces: Places of the views that every other step looks at, in turn; the steps between look at any view.
        steps: Number of views looked at.
        rate: Of Adam; falls to zero over the last half.
        seed: Of the choice of views.

    Returns:
        The fitted code [1, num_ws, w_dim].
    """
    source = torch.Generator().manual_seed(seed)
    perceptual = open_lite0()
    objectives = [
        Objective(image[None], perceptual, perceptual_size=256, perceptual_weight=1.0, pixel_weight=1.0)
        for image in images
    ]
    code = ws.detach().clone().requires_grad_(True)
    optimiser = torch.optim.Adam([code], lr=rate)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = rate * min(1.0, 2 * (steps - step) / steps)
        anywhere = int(torch.randint(len(cameras), (), generator=source))
        view = anywhere if step % 2 else faces[step // 2 % len(faces)]
        render = generator.render(generator.planes(code), code, cameras[view])
        loss = objectives[view].total(objectives[view].terms(render))
        optimiser.zero_grad(set_to_none=True)
        loss.backward(inputs=[code])
        optimiser.step()
    return code.detach()
