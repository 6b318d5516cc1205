"""Heads fitted to the photos that they were encoded from: super-resolution, then planes, then the first once more."""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor
from torch.nn import Module

from toolkit.camera import Camera
from toolkit.encoders.descent import LARGEST_SIDE
from toolkit.encoders.networks.style_encoder import fit_image
from toolkit.encoders.photo_outline import PhotoOutline
from toolkit.encoders.plane_fit import PlaneFit, fit_planes
from toolkit.encoders.superresolution_fit import SuperResolutionFit, fit_superresolution
from toolkit.interfaces import Code, Generator, SuperResolving


class HeadFit:
    """Both fits by their settings."""

    def __init__(self, planes: PlaneFit, superresolution: SuperResolutionFit) -> None:
        """Take settings."""
        self.planes, self.superresolution = planes, superresolution

    def fitted(self, generator: Generator, code: Code, seen: Tensor, image: Tensor, camera: Camera) -> Code:
        """Heads whose input views are nearer to photos; each as if it were alone.

        Args:
            generator: Frozen.
            code: B heads.
            seen: [B, *spec.planes_shape] in [0, 1]: how much the photo sees of each entry; only coarse changes reach
                the rest.
            image: [B, 3, S, S] in [-1, 1], on white.
            camera: What saw the images.

        Raises:
            CapabilityError: The generator's planes cannot be seen as images.
            MissingDependencyError: A package that a perceptual distance needs is not installed.
        """
        rows = [slice(row, row + 1) for row in range(len(image))]
        heads = [
            self._one(generator, Code(code.ws[row], code.planes[row]), seen[row], image[row], camera[row])
            for row in rows
        ]
        names = heads[0].tuned or {}
        tuned = {name: torch.cat([head.tuned[name] for head in heads if head.tuned]) for name in names}
        return Code(code.ws, torch.cat([head.planes for head in heads]), tuned or None)

    def _one(self, generator: Generator, head: Code, seen: Tensor, image: Tensor, camera: Camera) -> Code:
        """One head."""
        outline = PhotoOutline(fit_image(image, min(image.shape[-1], LARGEST_SIDE)), camera)
        if self._tunes(generator):
            own = cast(Generator, cast(Module, copy.deepcopy(generator)).requires_grad_(False))
            fit_superresolution(self.superresolution, cast(SuperResolving, own), head, outline)
            head = Code(head.ws, fit_planes(self.planes, own, head, seen, outline))
            fit_superresolution(self.superresolution, cast(SuperResolving, own), head, outline)
            return Code(head.ws, head.planes, _changes(cast(SuperResolving, generator), cast(SuperResolving, own)))
        return Code(head.ws, fit_planes(self.planes, generator, head, seen, outline))

    def _tunes(self, generator: Generator) -> bool:
        steps = self.superresolution.steps
        wanted = self.planes.steps != 0 if steps is None else steps > 0
        return wanted and isinstance(generator, SuperResolving)


def _changes(before: SuperResolving, after: SuperResolving) -> dict[str, Tensor]:
    """How much each parameter [1, ...] of super-resolution changed."""
    old = dict(before.superresolution_parameters())
    return {name: (new - old[name]).detach()[None] for name, new in after.superresolution_parameters()}
