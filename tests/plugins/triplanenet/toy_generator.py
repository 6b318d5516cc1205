"""The stand-in generator of the pipeline goldens: no weights, no rays, but every wire shows in its image."""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit.camera import Camera, as_camera
from toolkit.interfaces import GeneratorSpec, Latents, Query, Render

CHANNELS, SIDE = 96, 256


class ToyGenerator(torch.nn.Module):
    """Planes are waves whose phase is the mean w; the image depends on planes, w and the camera's place."""

    spec = GeneratorSpec(
        name="toy", latents=Latents(512, 512, 14), image_size=2 * SIDE, raw_size=SIDE, box=1.0,
        visible_half_extent=(0.5, 0.5, 0.5), planes_shape=(CHANNELS, SIDE, SIDE), front_camera=Camera.orbit(),
    )  # fmt: skip

    device = torch.device("cpu")

    def mapping(self, z, camera, truncation=1.0, truncation_cutoff=None) -> Tensor:
        return z[:, None].expand(-1, 14, -1)

    def planes(self, ws: Tensor) -> Tensor:
        ramp = torch.arange(float(SIDE))
        phase = ws.mean(dim=1)[:, :CHANNELS, None, None] + 0.05 * ramp[:, None] + 0.03 * ramp
        return phase.sin()

    def render(self, planes: Tensor, ws: Tensor, camera, resolution=None) -> Render:
        position = as_camera(camera).position
        colour = planes.unflatten(1, (CHANNELS // 3, 3)).mean(dim=1)
        light = 1 + position @ torch.tensor([0.2, 0.1, 0.05]) + 0.5 * ws[:, 7:].mean(dim=(1, 2))
        raw = torch.tanh(3 * light[:, None, None, None] * colour)
        steps = torch.arange(2 * SIDE)
        board = torch.where((steps[:, None] + steps) % 2 == 0, 0.1, -0.1)
        large = raw.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3) + board
        return Render(large, raw, raw[:, :1], raw[:, :1])

    def query(self, planes: Tensor, points: Tensor) -> Query:
        return Query(points[..., :1], points)

    def as_images(self, planes: Tensor) -> Tensor:
        return planes

    def from_images(self, images: Tensor) -> Tensor:
        return images
