"""Planes fitted to a photograph where it sees them: encoders find the head, steps of Adam what is special to it."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from toolkit.encoders.kept_field import KeptField
from toolkit.encoders.overhang import Overhang
from toolkit.encoders.photo_error import photo_error
from toolkit.encoders.photo_fit import PhotoFit, Rate, Weight
from toolkit.encoders.photo_outline import PhotoOutline
from toolkit.encoders.triplanenet import plane_images
from toolkit.encoders.unseen_colours import UnseenColours
from toolkit.interfaces import Code, Generator
from toolkit.losses.perceptual import open_perceptual

POOL = 24_000
"""Points at which the field is remembered, of each kind."""


class PlaneFit(PhotoFit):
    """How planes are fitted to the input view."""

    levels: Annotated[int, Field(ge=1, le=8)] = 4
    """What is added to planes is a sum of images, each of half the side of the one before."""
    everywhere: Annotated[int, Field(ge=0, le=8)] = 2
    """So many of the coarsest images also move entries that the photo does not see, so that colours go on there."""
    rate: Rate = 0.1
    """Learning rate of the coarsest image at the beginning, in deviations of planes; it falls as a cosine."""
    falloff: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Rate of an image over that of the next coarser one. At 1, noise of single cells takes the place of skin."""
    fine: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the steps, the last ones, with the generator's own ray grid; before, half as many rays a side."""
    pixels: Weight = 12.0
    perceptual_weight: Weight = 0.8
    shape: Weight = 3.0
    """Weight of changes of the head's opacity: what is fitted is its colours."""
    smoothness: Weight = 10.0
    """Weight of changes of its features that differ from one point to its neighbour."""
    outline: Weight = 3.0
    """Weight of the head's opacity where the photo shows background."""
    unseen: Weight = 30.0
    """Weight of features that the photo does not see, and that are not as similar ones that it sees."""
    points: Annotated[int, Field(ge=1, le=POOL)] = 4000
    """Points at which a step looks at these changes, of each kind."""
    seed: Annotated[int, Field(ge=0)] = 0


def fit_planes(fit: PlaneFit, generator: Generator, code: Code, seen: Tensor, outline: PhotoOutline) -> Tensor:
    """Planes [1, *spec.planes_shape] whose input view is nearer to a photograph.

    Args:
        fit: How.
        generator: Frozen.
        code: The head.
        seen: [1, *spec.planes_shape] in [0, 1]: how much the photograph sees of each entry; only coarse changes reach
            the rest.
        outline: Of the photo, with photo and camera.

    Raises:
        CapabilityError: The generator's planes cannot be seen as images.
        MissingDependencyError: A package that the perceptual distance needs is not installed.
    """
    if fit.steps == 0:
        return code.planes
    with torch.enable_grad():
        return _Fit(fit, generator, code, seen, outline).run()


def _unchanged(images: Tensor, levels: int) -> list[Tensor]:
    """Layers of zeros that can be optimised, each of half the height and width of the one before."""
    batch, channels, height, width = images.shape
    return [
        images.new_zeros(batch, channels, max(1, height >> level), max(1, width >> level)).requires_grad_(True)
        for level in range(levels)
    ]


class _Fit:
    """The fit of one head's planes: what its steps look at, and the layers of change that they adjust."""

    def __init__(self, fit: PlaneFit, generator: Generator, code: Code, seen: Tensor, outline: PhotoOutline) -> None:
        self.settings, self.generator = fit, generator
        self.ws, self.start, self.seen = code.ws.detach(), code.planes.detach(), seen.detach()
        self.look, rng = plane_images(generator), torch.Generator().manual_seed(fit.seed)
        perceptual = open_perceptual(fit.perceptual, device=outline.image.device)
        self.error = photo_error(generator, code, outline, perceptual, fit.perceptual_weight)
        with torch.no_grad():
            model = Code(self.ws, generator.planes(self.ws))
        self.field = KeptField(generator, self.start, self.ws, POOL, rng, outline)
        self.overhang = Overhang(generator, self.start, outline, rng)
        self.unseen = UnseenColours(generator, model, outline, self.field.near)
        self.layers, self.rng = _unchanged(self.look.as_images(self.start), fit.levels), rng

    def run(self) -> Tensor:
        fit, size = self.settings, float(self.start.std())
        shares = [size * fit.falloff ** (fit.levels - 1 - level) for level in range(fit.levels)]
        optimiser = torch.optim.Adam([{"params": [layer]} for layer in self.layers], betas=(0.9, 0.95))
        for step in range(fit.count):
            for group, share in zip(optimiser.param_groups, shares, strict=True):
                group["lr"] = fit.rate_at(step) * share
            gradients = torch.autograd.grad(self._loss(step), self.layers)  # nothing reaches the generator's weights
            for layer, gradient in zip(self.layers, gradients, strict=True):
                layer.grad = gradient
            optimiser.step()
        with torch.no_grad():
            return self._planes()

    def _planes(self) -> Tensor:
        """The planes as they are now."""
        side, planes = self.layers[0].shape[-2:], self.start
        only_seen = len(self.layers) - self.settings.everywhere
        for number, layer in enumerate(self.layers):
            added = self.look.from_images(_enlarged(layer, side))
            planes = planes + (self.seen * added if number < only_seen else added)
        return planes

    def _loss(self, step: int) -> Tensor:
        fit, planes = self.settings, self._planes()
        coarse = step < (1 - fit.fine) * fit.count
        side = max(8, self.generator.spec.raw_size // 2) if coarse else None
        pixels, features = self.error.of(self.generator, planes, self.ws, side)
        return fit.pixels * pixels + features + self._held(planes)

    def _held(self, planes: Tensor) -> Tensor:
        """What keeps a head together that one view alone would take apart."""
        fit, held = self.settings, planes.new_zeros(())
        if fit.shape or fit.smoothness:
            change = self.field.change(planes, fit.points)
            held = held + fit.shape * change.shape + fit.smoothness * change.roughness
        if fit.outline:
            held = held + fit.outline * self.overhang.left(planes, fit.points)
        if fit.unseen:
            held = held + fit.unseen * self.unseen.missed(planes, fit.points, self.rng)
        return held


def _enlarged(layer: Tensor, side: torch.Size) -> Tensor:
    if layer.shape[-2:] == side:
        return layer
    return F.interpolate(layer, size=side, mode="bilinear", align_corners=False)
