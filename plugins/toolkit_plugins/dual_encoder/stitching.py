"""Joining the visible encoder's planes with the occluded encoder's: (1 - O) T1 + O T2."""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit.errors import CapabilityError, InputError
from toolkit.interfaces import Footprint, Generator, Softening, Stitcher


class HardStitcher:
    """Uses the mask as it comes, 0 or 1 for a mask of `occlusion_mask`."""

    def stitch(self, visible: Tensor, occluded: Tensor, occlusion: Tensor) -> Tensor:
        """Join planes of one shape by an occlusion of that shape in [0, 1]; where it is 0 or 1, nothing is rounded.

        Raises:
            InputError: The shapes differ.
        """
        if not visible.shape == occluded.shape == occlusion.shape:
            raise InputError(
                "visible planes, occluded planes and the expanded occlusion must have one shape, got "
                f"{list(visible.shape)}, {list(occluded.shape)} and {list(occlusion.shape)}"
            )
        return torch.lerp(visible, occluded, occlusion.to(visible.dtype))


class BlurredStitcher(HardStitcher):
    """Blurs the mask before it is expanded: seams are soft to both sides, and the input view changes along them."""

    def soften(self, occupancy: Tensor, generator: Generator) -> Tensor:
        """Blur a mask in the generator's own occupancy shape (its `smooth`).

        Raises:
            CapabilityError: The generator does not know its footprint.
        """
        return _footprint(generator).smooth(occupancy).clamp(0, 1)


class FeatheredStitcher(BlurredStitcher):
    """Fades in from the seam inwards: soft like the blur, but what the input view sees is kept as it is.

    Rays also read entries beside the surface that they show. Here these stay the visible encoder's: between two heads
    of the miniature, the input view changed a third less than with the bare mask, and with the blur twice as much.
    """

    def soften(self, occupancy: Tensor, generator: Generator) -> Tensor:
        """0 up to the seam, where the blurred mask is 1/2, and from there to 1 (errors as `BlurredStitcher`)."""
        return (2 * super().soften(occupancy, generator) - 1).clamp(0, 1).minimum(occupancy)


def stitch_planes(
    stitcher: Stitcher, generator: Generator, visible: Tensor, occluded: Tensor, occlusion: Tensor
) -> Tensor:
    """Join planes by a mask that is still in the generator's own occupancy shape.

    Args:
        stitcher: How seams are treated.
        generator: Whose planes they are.
        visible: [B, *planes_shape], taken where the input view sees.
        occluded: [B, *planes_shape], taken elsewhere.
        occlusion: What `occlusion_mask` gives.

    Returns:
        [B, *planes_shape].

    Raises:
        CapabilityError: The generator does not know its footprint.
        InputError: The shapes do not fit.
    """
    return stitcher.stitch(visible, occluded, occluded_share(stitcher, generator, occlusion))


def occluded_share(stitcher: Stitcher, generator: Generator, occlusion: Tensor) -> Tensor:
    """How much of each entry of planes is the occluded encoder's, in [0, 1] and the planes' shape.

    Args:
        stitcher: May soften the mask.
        generator: Whose planes they are.
        occlusion: What `occlusion_mask` gives.

    Raises:
        CapabilityError: The generator does not know its footprint.
    """
    if isinstance(stitcher, Softening):
        occlusion = stitcher.soften(occlusion, generator)
    return _footprint(generator).expand(occlusion)


def _footprint(generator: Generator) -> Footprint:
    if not isinstance(generator, Footprint):
        raise CapabilityError(f"stitching needs a generator that knows its footprint; {generator.spec.name!r} does not")
    return generator
