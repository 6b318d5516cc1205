"""A generator that is exactly known: a ball with a nose, coloured by position."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolkit.camera import Camera, as_camera
from toolkit.interfaces import GeneratorSpec, Latents, Query, Render

BALLS = (((0.0, 0.0, 0.0), 0.25), ((0.0, 0.0, 0.25), 0.06))
FLOATER = ((0.3, 0.4, 0.3), 0.05)
COLOUR_REACH = 0.35


class PaintedBall(nn.Module):
    """Colour = position / 0.35, so every painted vertex can be checked; the floater has density but no picture."""

    def __init__(self) -> None:
        super().__init__()
        self.points_queried = 0

    @property
    def spec(self) -> GeneratorSpec:
        return GeneratorSpec(
            name="painted-ball",
            latents=Latents(1, 1, 1),
            image_size=96,
            raw_size=96,
            box=1.0,
            visible_half_extent=(0.4, 0.5, 0.4),
            planes_shape=(1,),
            front_camera=Camera.orbit(),
        )

    device = torch.device("cpu")

    def mapping(
        self, z: Tensor, camera: Camera | Tensor, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> Tensor:
        return z[:, None]

    def planes(self, ws: Tensor) -> Tensor:
        return ws[:, 0]

    def query(self, planes: Tensor, points: Tensor) -> Query:
        self.points_queried += points.shape[1]
        inside = [radius - (points - points.new_tensor(centre)).norm(dim=2) for centre, radius in (*BALLS, FLOATER)]
        return Query(10 + 400 * torch.stack(inside).amax(0)[..., None], points)

    def render(self, planes: Tensor, ws: Tensor, camera: Camera | Tensor, resolution: int | None = None) -> Render:
        side = resolution or 96
        origins, directions = as_camera(camera).rays(side)
        depth = torch.full(directions.shape[:2], 9.0)
        for centre, radius in BALLS:
            offset = origins - origins.new_tensor(centre)
            along = (directions * offset[:, None]).sum(2)
            inside = along.square() - (offset.square().sum(1) - radius**2)[:, None]
            depth = torch.where(inside > 0, torch.minimum(depth, -along - inside.clamp(min=0).sqrt()), depth)
        hit = depth < 9
        colour = (origins[:, None] + depth[..., None] * directions) / COLOUR_REACH
        colour = torch.where(hit[..., None], colour, torch.ones(3))
        image = colour.transpose(1, 2).reshape(-1, 3, side, side)
        shape = (-1, 1, side, side)
        return Render(image, image, depth.reshape(shape), hit.float().reshape(shape))
