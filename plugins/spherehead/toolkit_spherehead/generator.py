"""SphereHead as a generator plugin: latent to two spherical tri-planes to views from all around the head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolkit.errors import CapabilityError, InputError
from toolkit.generators.config import NUM_PLANES
from toolkit.generators.generator import VolumeGenerator
from toolkit.generators.networks import camera_shift_network
from toolkit.nn.convolution import Convolution
from toolkit.nn.mapping import MappingNetwork
from toolkit.nn.plane_maps import sample_maps, splat_maps
from toolkit.nn.synthesis import ToRGB
from toolkit_spherehead.balls import Places, places
from toolkit_spherehead.config import BALLS, SphereHeadConfig

MIDDLE_CHANNELS = 256
PARSING_CLASSES = 20
LEAST_SHARE = 0.1
"""Share below which a ball does not count as read: both count a little almost everywhere."""
LEAST_RADIUS = 0.1
"""Points nearer to the origin (in half sides of the box) touch few texels of huge extent and make nothing visible."""


class SphereHead(VolumeGenerator):
    """The generator whose planes are two balls of three maps, [B, 2, 3, C, H, W]."""

    config: SphereHeadConfig
    t_mapping: MappingNetwork

    def __init__(self, config: SphereHeadConfig | None = None) -> None:
        """Lay out the networks with random weights (None: as released)."""
        config = config or SphereHeadConfig.released()
        super().__init__(config)
        self.t_mapping = camera_shift_network(config)
        self.ConvA, self.ConvB = _to_ball(config), _to_ball(config)
        parsing = ToRGB(config.feature_channels, PARSING_CLASSES, config.w_dim) if config.parsing else None
        self.toparsing = parsing

    def volumes(self, planes: Tensor) -> Tensor:
        """Planes [B, 2, 3, C, H, W] as one stack of maps [B, 6, C, H, W].

        Raises:
            InputError: Not the shape of this generator's planes (H and W are free).
        """
        expected = (BALLS, NUM_PLANES, self.config.plane_channels)
        if planes.ndim != 6 or tuple(planes.shape[1:4]) != expected:
            wanted = ", ".join(map(str, expected))
            raise InputError(f"planes must have shape [B, {wanted}, H, W], got {list(planes.shape)}")
        return planes.flatten(1, 2)

    def read(self, volumes: Tensor, points: Tensor) -> Tensor:
        """Features [B, C, M] at world points [B, M, 3]: both balls, weighted by their shares, mean over the planes."""
        batch, count, _ = points.shape
        if volumes.shape[0] == 1 and batch > 1:
            shared = self.read(volumes, points.reshape(1, -1, 3))
            return shared[0].unflatten(1, (batch, count)).transpose(0, 1)
        found = self._places(points.to(volumes.dtype))
        read = sample_maps(volumes, found.coordinates.flatten(1, 2)).unflatten(1, (BALLS, NUM_PLANES))
        return (read.mean(dim=2) * found.shares[:, :, None]).sum(dim=1)

    def finished(self, image: Tensor) -> Tensor:
        """Planes [B, 2, 3, C, H, W] from the backbone's output image [B, 512, H, W]."""
        balls = [ball(image).unflatten(1, (NUM_PLANES, -1)) for ball in (self.ConvA, self.ConvB)]
        return torch.stack(balls, dim=1)

    def footprint(self, points: Tensor, weights: Tensor | None = None) -> Tensor:
        """Where `query` reads for world points [B, M, 3] with weights [B, M]: occupancy [B, 2, 3, H, W]."""
        each = points.new_ones(points.shape[:2]) if weights is None else weights
        found = self._places(points)
        return self._splat(found, found.shares * each[:, None])

    def visible_entries(self, points: Tensor, weights: Tensor) -> Tensor:
        """Which entries [B, 2, 3, H, W] (0/1) a view shows that shows world points [B, M, 3] with weights [B, M].

        A ball that counts less than `LEAST_SHARE` at a point, and points next to the origin, are left out: both balls
        count a little almost everywhere, so every visible point would mark both.
        """
        found = self._places(points)
        far = points.norm(dim=-1) * (2 / self.config.box) >= LEAST_RADIUS
        shares = torch.where(found.shares >= LEAST_SHARE, found.shares, 0.0) * far[:, None]
        return (self._splat(found, shares * weights[:, None]) > 0).to(points.dtype)

    def expand(self, occupancy: Tensor) -> Tensor:
        """Repeat an occupancy [B, 2, 3, H, W] for every channel: [B, 2, 3, C, H, W].

        Raises:
            InputError: Another number of balls or planes.
        """
        if occupancy.ndim != 5 or tuple(occupancy.shape[1:3]) != (BALLS, NUM_PLANES):
            wanted = f"[B, {BALLS}, {NUM_PLANES}, H, W]"
            raise InputError(f"an occupancy must have shape {wanted}, got {list(occupancy.shape)}")
        return occupancy[:, :, :, None].expand(-1, -1, -1, self.config.feature_channels, -1, -1)

    def parsing(self, features: Tensor, ws: Tensor) -> Tensor:
        """Probabilities [B, 20, R, R] of face-parsing classes from composited features [B, C, R, R].

        Raises:
            CapabilityError: These weights have no parsing head.
        """
        if self.toparsing is None:
            raise CapabilityError("this SphereHead was trained without a parsing head")
        return self.toparsing(features, ws[:, -1].to(features.dtype)).softmax(dim=1)

    def _places(self, points: Tensor) -> Places:
        return places(points * (2 / self.config.box))

    def _splat(self, found: Places, shares: Tensor) -> Tensor:
        size = self.config.plane_size
        weights = shares[:, :, None].expand(-1, -1, NUM_PLANES, -1).flatten(1, 2)
        return splat_maps(found.coordinates.flatten(1, 2), (size, size), weights).unflatten(1, (BALLS, NUM_PLANES))


def _to_ball(config: SphereHeadConfig) -> nn.Sequential:
    """Two 1x1 convolutions, no bias, nothing in between: the backbone's image to one ball's maps."""
    return nn.Sequential(
        Convolution(config.backbone_channels, MIDDLE_CHANNELS, 1, bias=False),
        Convolution(MIDDLE_CHANNELS, NUM_PLANES * config.plane_channels, 1, bias=False),
    )
