"""What every member of EG3D's family offers beyond the required contract (see `toolkit.interfaces.generator`)."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor, nn

from toolkit.camera import Camera, as_camera
from toolkit.errors import InputError
from toolkit.generators.networks import VolumeNetworks
from toolkit.interfaces.generator import March
from toolkit.nn.morphology import close, smooth
from toolkit.rendering.marching import march_density
from toolkit.rendering.rays import camera_rays

_NOISE, _ENLARGING = "noise_const", "superresolution"
"""StyleGAN's name for the fixed noise of a layer; the part whose noise stays as it is."""
_OF_CONVOLUTIONS = (".weight", ".bias")
_UNSEEN_BY_RENDERING = ("backbone.mapping.", "t_mapping.")


class VolumeCapabilities(VolumeNetworks):
    """Marching, planes as images, resumable synthesis, style rows, noise, tuning."""

    def march(self, planes: Tensor, camera: Camera | Tensor, resolution: int) -> March:
        """Depth and opacity [B, 1, R, R] of planes, without colours and super-resolution."""
        volumes = self.volumes(planes)
        rays = camera_rays(as_camera(camera).to(planes.device).to(planes.dtype), resolution)
        marched = march_density(
            lambda points: self.decoder.density(self.read(volumes, points)),
            rays,
            self.march_settings,
            keep=self.crop,
        )
        shape = (-1, 1, resolution, resolution)
        return March(marched.depth.reshape(shape), marched.opacity.reshape(shape))

    def close(self, occupancy: Tensor, radius: int) -> Tensor:
        """Close a 0/1 occupancy [..., H, W] within each map (square window of side 2 radius + 1)."""
        return close(occupancy, radius)

    def smooth(self, occupancy: Tensor) -> Tensor:
        """Blur an occupancy [..., H, W] within each map (9x9 Gaussian, sigma 1.5, reflected borders)."""
        return smooth(occupancy)

    def as_images(self, planes: Tensor) -> Tensor:
        """Planes [B, ..., H, W] as one stack of maps [B, K, H, W], in the order in which they lie in memory."""
        return planes.flatten(1, -3)

    def from_images(self, images: Tensor) -> Tensor:
        """Inverse of `as_images`.

        Raises:
            InputError: Another number of maps.
        """
        kinds = self.config.planes_shape[:-2]
        if images.ndim != 4 or images.shape[1] != math.prod(kinds):
            raise InputError(f"plane images must have shape [B, {math.prod(kinds)}, H, W], got {list(images.shape)}")
        return images.unflatten(1, kinds)

    def features(self, ws: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Run the backbone up to and including the block of side `size`: (features, skip image)."""
        return self.backbone.synthesis.features(ws, size)

    def resume(self, x: Tensor, skip: Tensor, ws: Tensor, size: int) -> Tensor:
        """Go on from (features, skip) after the block of side `size` to planes."""
        return self.finished(self.backbone.synthesis.resume(x, skip, ws, size))

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

    def noise_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """The fixed noise of the synthesis layers, super-resolution's left out."""
        for name, buffer in self.named_buffers():
            if name.rpartition(".")[2] == _NOISE and _ENLARGING not in name:
                yield name, buffer

    def tunable_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every parameter that a rendered view of given ws depends on: all but the mappings."""
        for name, parameter in self.named_parameters():
            if not name.startswith(_UNSEEN_BY_RENDERING):
                yield name, parameter

    def superresolution_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Weights and biases of super-resolution; its styles' layers and strengths of noise are left out."""
        for name, parameter in self.named_parameters():
            if name.startswith(f"{_ENLARGING}.") and name.endswith(_OF_CONVOLUTIONS) and ".affine." not in name:
                yield name, parameter
