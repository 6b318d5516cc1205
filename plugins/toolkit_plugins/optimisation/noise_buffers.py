"""Optimised synthesis noise, as in StyleGAN2's projector. PanoHead's own projector does not optimise it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from toolkit.errors import CapabilityError
from toolkit.interfaces import Generator, SynthesisNoise

SMALLEST_SIDE = 8


class NoiseBuffers:
    """The noise buffers of a generator's synthesis (not of super-resolution), as variables of an optimisation."""

    def __init__(self, generator: Generator, randomness: torch.Generator) -> None:
        """Redraw the buffers of `generator`, which is changed: give a copy.

        Raises:
            CapabilityError: There are no such buffers.
        """
        self.by_name: dict[str, Tensor] = {}
        for name, buffer in generator.noise_buffers() if isinstance(generator, SynthesisNoise) else ():
            buffer.copy_(torch.randn(buffer.shape, generator=randomness))
            self.by_name[name] = buffer.requires_grad_(True)
        if not self.by_name:
            raise CapabilityError(
                f"generator {generator.spec.name!r} has no synthesis noise to optimise: set noise_buffers=false"
            )

    @property
    def tensors(self) -> list[Tensor]:
        """The noise buffers as a list of variables for an optimiser."""
        return list(self.by_name.values())

    def values(self) -> dict[str, Tensor]:
        """Copies by buffer name."""
        return {name: buffer.detach().clone() for name, buffer in self.by_name.items()}

    def structure(self) -> Tensor:
        """How far the noise is from white: squared mean products with neighbours, over octaves; a scalar >= 0."""
        return torch.stack([_structure(buffer) for buffer in self.by_name.values()]).sum()

    def normalise(self) -> None:
        """Bring each buffer back to zero mean and unit root mean square."""
        with torch.no_grad():
            for buffer in self.by_name.values():
                buffer -= buffer.mean()
                buffer *= buffer.square().mean().rsqrt()


def _structure(buffer: Tensor) -> Tensor:
    noise = buffer[None, None]
    total = noise.new_zeros(())
    while True:
        total = total + sum((noise * noise.roll(1, dims=axis)).mean().square() for axis in (3, 2))
        if noise.shape[2] <= SMALLEST_SIDE:
            return total
        noise = functional.avg_pool2d(noise, 2)
