"""What must stay of a head while its planes are fitted to one view: its shape, and that colours change smoothly.

One view says nothing of depth. Planes that are fitted to it alone grow spikes along the rays: from the front the
picture is right, from the side the head frays.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.encoders.photo_outline import PhotoOutline
from toolkit.interfaces import Generator, Query
from toolkit.rendering.rays import camera_rays, points_on
from toolkit.rendering.views import around

VIEWS = 8
"""Yaws, evenly round the head, from which its surface is looked for."""
GRID = 64
"""Side of their ray grids."""
_OPAQUE = 0.5
_JITTER = 0.02
"""Deviation of points from the surface, in world units."""
_APART = 0.03
"""Deviation of a point's neighbour from it."""
_LENGTH = 0.01
"""Length in world units of the piece of a ray whose opacity stands for a density."""


class Change(NamedTuple):
    """How far planes have gone from where they began, two scalars."""

    shape: Tensor
    """Mean squared change of opacity, at points near the surface and anywhere in the box."""
    roughness: Tensor
    """Mean squared difference between the changes of features at a point near the surface and at its neighbour."""


class KeptField:
    """The field that planes describe at the beginning, at a fixed choice of points."""

    def __init__(
        self,
        generator: Generator,
        planes: Tensor,
        ws: Tensor,
        count: int,
        rng: torch.Generator,
        outline: PhotoOutline | None = None,
    ) -> None:
        """Look at it.

        Args:
            generator: Reads planes.
            planes: [1, *spec.planes_shape].
            ws: [1, num_ws, w_dim].
            count: Points near the surface, and as many anywhere.
            rng: Chooses them.
            outline: Shape may change where this photo shows background; None: nowhere.
        """
        self._generator, self._rng = generator, rng
        self.near = _surface(generator, planes, ws, count, rng)
        """[count, 3] world points near the surface, in random order."""
        neighbours = self.near + _APART * _normal(self.near.shape, rng).to(self.near)
        self._points = torch.stack([self.near, neighbours, points_in_box(generator, count, rng).to(self.near)])
        self._stays = [
            torch.ones(count, device=planes.device) if outline is None else ~outline.is_empty(part)
            for part in self._points
        ]
        with torch.no_grad():
            self._before = [generator.query(planes, points[None]) for points in self._points]

    def change(self, planes: Tensor, count: int) -> Change:
        """How far planes [1, *spec.planes_shape] have gone, at `count` of the points of each kind."""
        chosen = torch.randint(self._points.shape[1], (count,), generator=self._rng).to(planes.device)
        now = self._generator.query(planes, self._points[:, chosen].flatten(0, 1)[None])
        near, neighbours, anywhere = (
            Query(*parts) for parts in zip(*(part.chunk(3, dim=1) for part in now), strict=True)
        )
        before = [Query(*(part[:, chosen] for part in query)) for query in self._before]
        shape = [
            (stays[chosen, None] * (opacity(after.density) - opacity(old.density)).square()).mean()
            for after, old, stays in ((near, before[0], self._stays[0]), (anywhere, before[2], self._stays[2]))
        ]
        moved = (near.features - before[0].features) - (neighbours.features - before[1].features)
        return Change(sum(shape, planes.new_zeros(())) / 2, moved.square().mean())


def _surface(generator: Generator, planes: Tensor, ws: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """Points [count, 3] near what is seen from all around; anywhere in the box where nothing is."""
    found = []
    with torch.no_grad():
        for yaw in torch.arange(VIEWS) * (2 * math.pi / VIEWS):
            camera = around(generator.spec, yaw[None].to(planes.device))
            view = generator.render(planes, ws, camera, GRID)
            points = points_on(camera_rays(camera, GRID), view.depth.reshape(1, -1, 1))
            found.append(points[0, :, 0][view.mask.flatten() > _OPAQUE])
    surface = torch.cat(found)
    if not len(surface):
        return points_in_box(generator, count, rng).to(planes)
    chosen = surface[torch.randint(len(surface), (count,), generator=rng).to(surface.device)]
    return chosen + _JITTER * _normal(chosen.shape, rng).to(chosen)


def points_in_box(generator: Generator, count: int, rng: torch.Generator) -> Tensor:
    """Points [count, 3] anywhere in the generator's box, on the CPU."""
    return (torch.rand(count, 3, generator=rng) - 0.5) * generator.spec.box


def _normal(shape: torch.Size, rng: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=rng)


def opacity(density: Tensor) -> Tensor:
    """Opacity in [0, 1) of a short piece of a ray through raw densities."""
    return 1 - torch.exp(-F.softplus(density - 1) * _LENGTH)
