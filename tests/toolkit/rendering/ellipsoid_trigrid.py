"""A generator with PanoHead's layout of planes and an ellipsoid for a head: its views are known exactly."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor, nn

from toolkit.camera import Camera, as_camera
from toolkit.interfaces import GeneratorSpec, Latents, March, Query
from toolkit.nn import morphology, trigrid, trigrid_layout
from toolkit.testing import spherical_maps

DEPTH = 3
CHANNELS = 2
CROP = (0.4, 0.5, 0.4)


class EllipsoidTriGrid(nn.Module):
    """Marches an axis-aligned ellipsoid per head analytically; reads and marks a tri-grid like PanoHead."""

    def __init__(self, size: int = 64, axes: tuple[float, ...] = (0.22, 0.3, 0.26), centre=(0.0, 0.0, 0.0)) -> None:
        super().__init__()
        self.size, self.axes, self.centre = size, torch.tensor(axes), torch.tensor(centre)
        self.empty_depth = 3.3

    @property
    def spec(self) -> GeneratorSpec:
        return GeneratorSpec(
            name="ellipsoid",
            latents=Latents(1, 1, 1),
            image_size=64,
            raw_size=64,
            box=1.0,
            visible_half_extent=CROP,
            planes_shape=(3, CHANNELS * DEPTH, self.size, self.size),
            front_camera=Camera.orbit(),
        )

    device = torch.device("cpu")

    def mapping(self, z, camera, truncation=1.0, truncation_cutoff=None):
        raise NotImplementedError

    def planes(self, ws: Tensor) -> Tensor:
        raise NotImplementedError

    def render(self, planes, ws, camera, resolution=None):
        raise NotImplementedError

    def blank(self, batch: int = 1) -> Tensor:
        return torch.zeros(batch, *self.spec.planes_shape)

    def query(self, planes: Tensor, points: Tensor) -> Query:
        read = trigrid.read_trigrid(trigrid_layout.as_volumes(planes, DEPTH), points * 2)
        return Query(read[:, :1].transpose(1, 2), read.transpose(1, 2))

    def march(self, planes: Tensor, camera: Camera | Tensor, resolution: int) -> March:
        origins, directions = as_camera(camera).rays(resolution)
        o, d = ((each / self.axes.to(planes)) for each in (origins - self.centre.to(planes), directions))
        a, b = d.square().sum(-1), (d * o[:, None]).sum(-1)
        inside = b.square() - a * (o.square().sum(-1, keepdim=True) - 1)
        depth = torch.where(inside > 0, (-b - inside.clamp(min=0).sqrt()) / a, self.empty_depth)
        shape = (-1, 1, resolution, resolution)
        return March(depth.reshape(shape), (inside > 0).to(planes).reshape(shape))

    def footprint(self, points: Tensor, weights: Tensor | None = None) -> Tensor:
        return trigrid.footprint(points * 2, (DEPTH, self.size, self.size), weights)

    def close(self, occupancy: Tensor, radius: int) -> Tensor:
        return morphology.close(occupancy, radius)

    def smooth(self, occupancy: Tensor) -> Tensor:
        return morphology.smooth(occupancy)

    def expand(self, occupancy: Tensor) -> Tensor:
        return occupancy.repeat(1, 1, CHANNELS, 1, 1)

    def merge_slots(self, occupancy: Tensor) -> Tensor:
        return occupancy.amax(2, keepdim=True).expand_as(occupancy)


def visible_points(camera: Camera, axes, centre, count: int, crop=CROP, facing: float = 0.0) -> np.ndarray:
    """Points [N, 3] spread evenly over the part of an ellipsoid that a camera sees and the renderer does not crop.

    Cosines between normal and line of sight up to `facing` are left out.
    """
    index = np.arange(count) + 0.5
    polar, azimuth = np.arccos(1 - 2 * index / count), np.pi * (1 + 5**0.5) * index
    unit = np.stack([np.cos(azimuth) * np.sin(polar), np.sin(azimuth) * np.sin(polar), np.cos(polar)], 1)
    axes, centre = np.asarray(axes, np.float64), np.asarray(centre, np.float64)
    points = unit * axes + centre
    matrix = camera.cam2world[0].double().numpy()
    normals, sight = unit / axes, matrix[:3, 3] - points
    cosines = (normals * sight).sum(1) / np.linalg.norm(normals, axis=1) / np.linalg.norm(sight, axis=1)
    local = (points - matrix[:3, 3]) @ matrix[:3, :3]
    pixel = local[:, :2] / local[:, 2:] * float(camera.intrinsics[0, 0, 0]) + 0.5
    in_picture = ((pixel > 0) & (pixel < 1)).all(1)
    return points[(cosines > facing) & in_picture & (np.abs(points) <= crop).all(1)]


def marked(points: np.ndarray, size: int) -> np.ndarray:
    """Entries [3, D, H, W] that trilinear reading at points uses: each point's eight neighbours, by arithmetic."""
    occupancy = np.zeros((3, DEPTH, size, size), bool)
    for plane, (column, row, rest) in enumerate(((0, 1, 2), (0, 2, 1), (1, 2, 0))):
        places = [
            (points[:, axis] + 0.5) * length - 0.5 for axis, length in ((rest, DEPTH), (row, size), (column, size))
        ]
        low = [np.floor(place).astype(int) for place in places]
        for corner in range(8):
            index = [low[axis] + (corner >> axis & 1) for axis in range(3)]
            limits = (DEPTH, size, size)
            inside = np.all([(each >= 0) & (each < limit) for each, limit in zip(index, limits, strict=True)], axis=0)
            occupancy[plane][tuple(each[inside] for each in index)] = True
    return occupancy


class EllipsoidMaps(EllipsoidTriGrid):
    """The same head, read from and marked in the spherical generator's two coarse maps."""

    def __init__(self, axes: tuple[float, ...] = (0.22, 0.3, 0.26), centre=(0.0, 0.0, 0.0)) -> None:
        super().__init__(8, axes, centre)

    @property
    def spec(self) -> GeneratorSpec:
        shape = (spherical_maps.MAPS, spherical_maps.ROWS, spherical_maps.COLUMNS, spherical_maps.CHANNELS)
        return dataclasses.replace(super().spec, box=1.2, visible_half_extent=(0.6,) * 3, planes_shape=shape)

    def footprint(self, points: Tensor, weights: Tensor | None = None) -> Tensor:
        weights = points.new_ones(points.shape[:2]) if weights is None else weights
        return spherical_maps.splat(points, weights, 0.6)

    def close(self, occupancy: Tensor, radius: int) -> Tensor:
        return spherical_maps.close(occupancy, radius)
