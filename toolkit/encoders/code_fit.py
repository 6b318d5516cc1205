"""A code brought nearer to one photo before planes are: the generator then continues what the photo shows all around.

An encoder's code is what an hour of training finds at a glance. A few steps of Adam on it choose among whole heads, so
that hair has the same cut and colour behind as in front: first one offset of all layers (the head stays in W), then one
of each.
"""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from toolkit.camera import Camera
from toolkit.encoders.descent import ViewError
from toolkit.encoders.photo_fit import PhotoFit, Rate, Weight
from toolkit.encoders.photo_outline import background
from toolkit.interfaces import Generator
from toolkit.losses.perceptual import open_perceptual

WARMUP = 3
"""First steps, with smaller rates: Adam knows nothing of a gradient's size yet."""


class CodeFit(PhotoFit):
    """How a code is fitted to the input view."""

    rate: Rate = 0.08
    pixels: Weight = 2.0
    perceptual_weight: Weight = 1.0
    start: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Where the fit begins, between the average (0) and the mean of the encoder's layers (1)."""
    shared: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Share of the steps, the first ones, in which all layers share one offset."""
    resolution: Annotated[int, Field(ge=8)] = 32
    """Side of the ray grid."""
    outline: Weight = 20.0
    """Weight of the mean squared difference between the head's opacity and the photo's mask."""
    average: Weight = 0.6
    """Weight of the mean squared offset from the average code: keeps the head among the generator's."""
    layers: Weight = 2.0
    """Weight of the mean squared difference of the layers' codes from their mean."""


def fit_code(fit: CodeFit, generator: Generator, ws: Tensor, average: Tensor, image: Tensor, camera: Camera) -> Tensor:
    """Codes [B, num_ws, w_dim] whose input views are nearer to photos; one head after the other.

    Args:
        fit: How.
        generator: Frozen.
        ws: [B, num_ws, w_dim] by an encoder.
        average: [num_ws, w_dim], the average code.
        image: [B, 3, S, S] in [-1, 1], on white.
        camera: What saw the images.

    Raises:
        MissingDependencyError: A package that the perceptual distance needs is not installed.
    """
    rows = [slice(row, row + 1) for row in range(len(image))]
    with torch.enable_grad():
        return torch.cat([_CodeFit(fit, generator, ws[row], average, image[row], camera[row]).run() for row in rows])


class _CodeFit:
    """The fit of one head's code."""

    def __init__(
        self, fit: CodeFit, generator: Generator, ws: Tensor, average: Tensor, image: Tensor, camera: Camera
    ) -> None:
        self.settings, self.generator, self.camera = fit, generator, camera
        self.average = average[None].detach()
        offset = (ws.detach() - self.average).mean(1, keepdim=True)
        self.shared = (fit.start * offset).requires_grad_(True)
        self.layers = torch.zeros_like(ws).requires_grad_(True)
        perceptual = open_perceptual(fit.perceptual, device=image.device)
        self.error = ViewError(perceptual, fit.perceptual_weight, image, camera)
        self.mask = F.interpolate((~background(self.error.image)).to(ws.dtype), size=fit.resolution, mode="area")

    def run(self) -> Tensor:
        optimiser = torch.optim.Adam([self.shared, self.layers], betas=(0.9, 0.99))
        fit = self.settings
        for step in range(fit.count):
            optimiser.param_groups[0]["lr"] = fit.rate_at(step) * min(1, (step + 1) / WARMUP)
            moving = [self.shared] if step < fit.shared * fit.count else [self.shared, self.layers]
            # nothing reaches the generator's weights
            for tensor, gradient in zip(moving, torch.autograd.grad(self._loss(), moving), strict=True):
                tensor.grad = gradient
            optimiser.step()
        return self._code().detach()

    def _code(self) -> Tensor:
        return self.average + self.shared + self.layers

    def _loss(self) -> Tensor:
        fit, ws = self.settings, self._code()
        view = self.generator.render(self.generator.planes(ws), ws, self.camera, fit.resolution)
        (pixels, features), offset = self.error.of_view(view.image), ws - self.average
        loss = fit.pixels * pixels + fit.outline * (view.mask - self.mask).square().mean() + features
        spread = offset - offset.mean(1, keepdim=True)
        return loss + fit.average * offset.square().mean() + fit.layers * spread.square().mean()
