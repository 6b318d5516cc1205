"""Rays through the pixels of a camera, and where they meet a cube."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from toolkit.camera import Camera, as_camera


class Rays(NamedTuple):
    """A bundle of rays per view."""

    origins: Tensor
    """[B, 1, 3] or [B, R, 3], world units."""
    directions: Tensor
    """[B, R, 3], unit length."""


def camera_rays(camera: Camera | Tensor, resolution: int) -> Rays:
    """Rays through the pixel centres of a resolution x resolution grid, row by row."""
    origins, directions = as_camera(camera).rays(resolution)
    return Rays(origins[:, None], directions)


def rays_through(cameras: Camera, places: Tensor) -> Rays:
    """Rays of B cameras through image coordinates [B, M, 2] (0..1, x right, y down)."""
    return Rays(cameras.position[:, None], cameras.directions(places))


def points_on(rays: Rays, depths: Tensor) -> Tensor:
    """Points [B, R, S, 3] at depths [B, R, S] along rays."""
    return rays.origins[:, :, None] + depths[..., None] * rays.directions[:, :, None]


def cube_limits(rays: Rays, side: float) -> tuple[Tensor, Tensor]:
    """Depths [B, R] where rays enter and leave a cube round the origin; -1 and -2 where they miss it."""
    origins = rays.origins.expand_as(rays.directions)
    near = (-side / 2 - origins) / rays.directions
    far = (side / 2 - origins) / rays.directions
    start = torch.minimum(near, far).amax(dim=-1)
    end = torch.maximum(near, far).amin(dim=-1)
    hit = start <= end
    return torch.where(hit, start, -1.0), torch.where(hit, end, -2.0)


def automatic_limits(rays: Rays, side: float) -> tuple[Tensor, Tensor]:
    """Limits [B, R] of each ray inside a cube, detached; rays that miss it get those that the official renderer gives.

    A miss gets the smallest start and, as upstream has it, the largest *start* of the rays that hit.
    """
    start, end = (limit.detach() for limit in cube_limits(rays, side))
    hit = end > start
    if hit.any():
        valid = start[hit]
        start, end = torch.where(hit, start, valid.min()), torch.where(hit, end, valid.max())
    return start, end
