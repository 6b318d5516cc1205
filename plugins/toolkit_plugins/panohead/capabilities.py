"""What PanoHead offers beyond the required contract (see `toolkit.interfaces.generator`)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from toolkit.camera import Camera, as_camera
from toolkit.errors import InputError
from toolkit.interfaces.generator import March
from toolkit.nn import trigrid
from toolkit.nn.morphology import close, smooth
from toolkit.rendering.marching import march_density
from toolkit.rendering.rays import camera_rays
from toolkit_plugins.panohead.networks import NUM_PLANES, PanoHeadNetworks

_UNSEEN_BY_RENDERING = ("backbone.mapping.", "t_mapping.")


class PanoHeadCapabilities(PanoHeadNetworks):
    """Marching, footprint, plane images, resumable synthesis, tuning."""

    def march(self, planes: Tensor, camera: Camera | Tensor, resolution: int) -> March:
        """Depth and opacity [B, 1, R, R] of planes [B, 3, C D, H, W], without colours and super-resolution."""
        volumes = self.volumes(planes)
        rays = camera_rays(as_camera(camera).to(planes.device).to(planes.dtype), resolution)
        marched = march_density(
            lambda points: self.decoder.density(self.read(volumes, points)),
            rays,
            self.march_settings,
            keep=None if self.config.crop_margin is None else self.keeps,
        )
        shape = (-1, 1, resolution, resolution)
        return March(marched.depth.reshape(shape), marched.opacity.reshape(shape))

    def footprint(self, points: Tensor, weights: Tensor | None = None) -> Tensor:
        """Where `query` reads for world points [B, M, 3] with weights [B, M]: occupancy [B, 3, D, H, W]."""
        size = self.config.plane_size
        return trigrid.footprint(points * (2 / self.config.box), (self.config.plane_depth, size, size), weights)

    def close(self, occupancy: Tensor, radius: int) -> Tensor:
        """Close a 0/1 occupancy [B, 3, D, H, W] within each slice (square window of side 2 radius + 1)."""
        return close(occupancy, radius)

    def smooth(self, occupancy: Tensor) -> Tensor:
        """Blur an occupancy [B, 3, D, H, W] within each slice (9x9 Gaussian, sigma 1.5, reflected borders)."""
        return smooth(occupancy)

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

    def as_images(self, planes: Tensor) -> Tensor:
        """Planes [B, 3, C D, H, W] as one stack of maps [B, 3 C D, H, W]."""
        return planes.flatten(1, 2)

    def from_images(self, images: Tensor) -> Tensor:
        """Inverse of `as_images`.

        Raises:
            InputError: Another number of maps.
        """
        count = NUM_PLANES * self.config.plane_channels
        if images.ndim != 4 or images.shape[1] != count:
            raise InputError(f"plane images must have shape [B, {count}, H, W], got {list(images.shape)}")
        return images.unflatten(1, (NUM_PLANES, self.config.plane_channels))

    def features(self, ws: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Run the backbone up to and including the block of side `size`: (features, skip image)."""
        return self.backbone.synthesis.features(ws, size)

    def resume(self, x: Tensor, skip: Tensor, ws: Tensor, size: int) -> Tensor:
        """Go on from (features, skip) after the block of side `size` to planes."""
        return self.finished(self.backbone.synthesis.resume(x, skip, ws, size))

    def finished(self, image: Tensor) -> Tensor:
        """Planes from the backbone's output image [B, 3 C D, H, W]."""
        planes = self.from_images(image)
        return planes if self.plane_offset is None else planes + self.plane_offset

    def tunable_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every parameter that a rendered view of given ws depends on: all but the two mappings."""
        for name, parameter in self.named_parameters():
            if not name.startswith(_UNSEEN_BY_RENDERING):
                yield name, parameter

    def style_rows(self) -> dict[str, tuple[int, ...]]:
        """The background reads the first rows of ws, the raw image and super-resolution the last."""
        last = (self.num_ws - 1,)
        painted = 0 if self.bcg_synthesis is None else min(self.bcg_synthesis.num_ws, self.num_ws)
        rows = {
            "background": tuple(range(painted)),
            "raw": last if self.torgb is not None else (),
            "super_resolution": last,
        }
        return {part: each for part, each in rows.items() if each}

    @torch.no_grad()
    def delta_from(self, original: nn.Module) -> dict[str, Tensor]:
        """Difference of this generator's tunable parameters from another one's, by name."""
        reference = dict(original.named_parameters())
        return {name: (own - reference[name]).detach() for name, own in self.tunable_parameters()}

    @torch.no_grad()
    def apply_delta(self, delta: dict[str, Tensor]) -> None:
        """Add a difference made by `delta_from` to the tunable parameters.

        Raises:
            InputError: A name is not a tunable parameter of this generator.
        """
        own = dict(self.tunable_parameters())
        unknown = sorted(set(delta) - set(own))
        if unknown:
            raise InputError(f"this generator has no tunable parameter {unknown[0]!r}")
        for name, change in delta.items():
            own[name].add_(change.to(own[name]))
