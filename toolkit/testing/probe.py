"""What the generator checks work on: one generator, two heads, two cameras, some points."""

from __future__ import annotations

from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor, nn

from toolkit.camera import Camera
from toolkit.interfaces import Generator, GeneratorSpec, Render

HEADS = 2


class GeneratorProbe:
    """Two random heads of a generator, made when first needed, and shared by all checks."""

    def __init__(self, generator: Generator, seed: int = 0) -> None:
        """Take in a generator; nothing is computed yet."""
        self.generator = generator
        self.seed = seed

    @property
    def module(self) -> nn.Module:
        """The generator as the torch module that it must also be."""
        return cast(nn.Module, cast(Any, self.generator))

    @cached_property
    def spec(self) -> GeneratorSpec:
        """What the generator says of itself."""
        return self.generator.spec

    @cached_property
    def device(self) -> torch.device:
        """Where the generator is."""
        return self.generator.device

    @cached_property
    def z(self) -> Tensor:
        """Two random latents [2, z_dim], the same for the same seed."""
        return self._random(HEADS, self.spec.latents.z_dim)

    @cached_property
    def cameras(self) -> Camera:
        """The front and a side view on the generator's own orbit."""
        orbit = self.spec.orbit
        yaw = torch.tensor([0.0, 0.9])
        camera = Camera.orbit(yaw, orbit.pitch, orbit.radius, orbit.pivot, orbit.focal)
        return camera.to(self.device)

    @cached_property
    def front(self) -> Camera:
        """The conditioning camera, once per head."""
        return self.spec.front_camera.to(self.device).expand(HEADS)

    @cached_property
    def ws(self) -> Tensor:
        """Their W+ codes [2, num_ws, w_dim], mapped with the generator's own truncation."""
        with torch.no_grad():
            return self.generator.mapping(self.z, self.front, self.spec.truncation)

    @cached_property
    def planes(self) -> Tensor:
        """Their planes [2, *planes_shape]."""
        with torch.no_grad():
            return self.generator.planes(self.ws)

    @cached_property
    def small(self) -> int:
        """Side of a ray grid other than the default."""
        return max(4, self.spec.raw_size // 2)

    @cached_property
    def view(self) -> Render:
        """Both heads from both cameras, default resolution."""
        with torch.no_grad():
            return self.generator.render(self.planes, self.ws, self.cameras)

    @cached_property
    def small_view(self) -> Render:
        """Both heads from both cameras on the small grid."""
        with torch.no_grad():
            return self.generator.render(self.planes, self.ws, self.cameras, self.small)

    @cached_property
    def points(self) -> Tensor:
        """World points [2, 64, 3] inside what the renderer shows."""
        reach = torch.tensor(self.spec.visible_half_extent, device=self.device)
        return torch.tanh(self._random(HEADS, 64, 3)) * reach * 0.9

    def _random(self, *shape: int) -> Tensor:
        source = torch.Generator().manual_seed(self.seed)
        return torch.randn(*shape, generator=source).to(self.device)
