"""EG3D as a generator plugin: latent to three planes to views."""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit.errors import InputError
from toolkit.generators.config import NUM_PLANES
from toolkit.generators.generator import VolumeGenerator
from toolkit.nn.plane_maps import sample_maps, splat_maps
from toolkit_plugins.eg3d.config import PLANE_AXES, EG3DConfig


class EG3D(VolumeGenerator):
    """The generator whose planes are three feature maps [B, 3, C, H, W]."""

    config: EG3DConfig

    def __init__(self, config: EG3DConfig | None = None) -> None:
        """Lay out the networks with random weights (None: as released)."""
        super().__init__(config or EG3DConfig.released())

    def volumes(self, planes: Tensor) -> Tensor:
        """The planes [B, 3, C, H, W] themselves.

        Raises:
            InputError: Not the shape of this generator's planes (H and W are free).
        """
        expected = (NUM_PLANES, self.config.plane_channels)
        if planes.ndim != 5 or tuple(planes.shape[1:3]) != expected:
            raise InputError(
                f"planes must have shape [B, {expected[0]}, {expected[1]}, H, W], got {list(planes.shape)}"
            )
        return planes

    def read(self, volumes: Tensor, points: Tensor) -> Tensor:
        """Features [B, C, M] at world points [B, M, 3]; one set of planes may serve several batches of points."""
        places = self._places(points.to(volumes.dtype))
        if volumes.shape[0] == 1 and points.shape[0] > 1:
            batch, count, _ = points.shape
            shared = sample_maps(volumes, places.transpose(0, 1).reshape(1, NUM_PLANES, -1, 2)).mean(dim=1)
            return shared[0].unflatten(1, (batch, count)).transpose(0, 1)
        return sample_maps(volumes, places).mean(dim=1)

    def finished(self, image: Tensor) -> Tensor:
        """Planes from the backbone's output image [B, 3 C, H, W]."""
        return self.from_images(image)

    def footprint(self, points: Tensor, weights: Tensor | None = None) -> Tensor:
        """Where `query` reads for world points [B, M, 3] with weights [B, M]: occupancy [B, 3, H, W]."""
        places = self._places(points)
        each = points.new_ones(points.shape[:2]) if weights is None else weights
        size = self.config.plane_size
        return splat_maps(places, (size, size), each[:, None].expand(-1, NUM_PLANES, -1))

    def expand(self, occupancy: Tensor) -> Tensor:
        """Repeat an occupancy [B, 3, H, W] for every channel: [B, 3, C, H, W].

        Raises:
            InputError: Another number of planes.
        """
        if occupancy.ndim != 4 or occupancy.shape[1] != NUM_PLANES:
            raise InputError(f"an occupancy must have shape [B, {NUM_PLANES}, H, W], got {list(occupancy.shape)}")
        return occupancy[:, :, None].expand(-1, -1, self.config.feature_channels, -1, -1)

    def _places(self, points: Tensor) -> Tensor:
        """World points [B, M, 3] on each plane: [B, 3, M, 2]."""
        axes = torch.tensor(PLANE_AXES[self.config.plane_axes], device=points.device)
        return (points * (2 / self.config.box))[..., axes].transpose(1, 2)
