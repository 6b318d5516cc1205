"""PanoHead as a generator plugin: latent to tri-grid to views from all around the head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolkit.errors import InputError
from toolkit.generators.config import NUM_PLANES
from toolkit.generators.generator import VolumeGenerator
from toolkit.generators.networks import camera_shift_network
from toolkit.nn import trigrid, trigrid_layout
from toolkit.nn.mapping import MappingNetwork
from toolkit.rendering.trigrid_field import TrigridField
from toolkit_plugins.panohead.config import PanoHeadConfig


class PanoHead(VolumeGenerator):
    """The generator whose planes are a tri-grid [B, 3, C D, H, W] (channels feature-major, slices fastest)."""

    config: PanoHeadConfig
    t_mapping: MappingNetwork

    def __init__(self, config: PanoHeadConfig | None = None) -> None:
        """Lay out the networks with random weights (None: as released)."""
        config = config or PanoHeadConfig.released()
        super().__init__(config)
        self.t_mapping = camera_shift_network(config)
        self.plane_offset = nn.Parameter(torch.zeros(config.planes_shape)) if config.plane_offset else None

    def volumes(self, planes: Tensor) -> Tensor:
        """View planes [B, 3, C D, H, W] as volumes [B, 3, C, D, H, W].

        Raises:
            InputError: Not the shape of this generator's planes (H and W are free).
        """
        expected = (NUM_PLANES, self.config.plane_channels)
        if planes.ndim != 5 or tuple(planes.shape[1:3]) != expected:
            raise InputError(
                f"planes must have shape [B, {expected[0]}, {expected[1]}, H, W], got {list(planes.shape)}"
            )
        if len(planes) > 1 and planes.stride(0) == 0:
            planes = planes[:1]  # one head, seen by several cameras
        return trigrid_layout.channels_fastest(trigrid_layout.as_volumes(planes, self.config.plane_depth))

    def read(self, volumes: Tensor, points: Tensor) -> Tensor:
        """Features [B, C, M] at world points [B, M, 3]; one set of volumes may serve several batches of points."""
        points = points.to(volumes.dtype) * (2 / self.config.box)
        if volumes.shape[0] == 1 and points.shape[0] > 1:
            batch, count, _ = points.shape
            shared = trigrid.read_trigrid(volumes, points.reshape(1, -1, 3))
            return shared[0].unflatten(1, (batch, count)).transpose(0, 1)
        return trigrid.read_trigrid(volumes, points)

    def trigrid_field(self, volumes: Tensor) -> TrigridField:
        """Volumes [1 or B, 3, C, D, H, W] with all that rendering them needs."""
        return TrigridField(volumes, 2 / self.config.box, self.decoder.weights(), self.crop_half)

    def finished(self, image: Tensor) -> Tensor:
        """Planes from the backbone's output image [B, 3 C D, H, W]."""
        planes = self.from_images(image)
        return planes if self.plane_offset is None else planes + self.plane_offset

    def footprint(self, points: Tensor, weights: Tensor | None = None) -> Tensor:
        """Where `query` reads for world points [B, M, 3] with weights [B, M]: occupancy [B, 3, D, H, W]."""
        size = self.config.plane_size
        return trigrid.footprint(points * (2 / self.config.box), (self.config.plane_depth, size, size), weights)

    def expand(self, occupancy: Tensor) -> Tensor:
        """Repeat an occupancy [B, 3, D or 1, H, W] for every channel: [B, 3, C D, H, W], slices fastest as in planes.

        Raises:
            InputError: Another number of planes or slices.
        """
        depth, channels = self.config.plane_depth, self.config.feature_channels
        if occupancy.ndim != 5 or occupancy.shape[1] != NUM_PLANES or occupancy.shape[2] not in (1, depth):
            raise InputError(
                f"an occupancy must have shape [B, {NUM_PLANES}, {depth} or 1, H, W], got {list(occupancy.shape)}"
            )
        batch, _, _, height, width = occupancy.shape
        wide = occupancy[:, :, None].expand(batch, NUM_PLANES, channels, depth, height, width)
        return wide.reshape(batch, NUM_PLANES, channels * depth, height, width)

    def merge_slots(self, occupancy: Tensor) -> Tensor:
        """Give all slices of a place of an occupancy [B, 3, D, H, W] their largest value."""
        return occupancy.amax(dim=2, keepdim=True).expand_as(occupancy)
