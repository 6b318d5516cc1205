"""Super-resolution fitted to one photo: hues that no head of the generator has, on all sides of the head.

Planes can only be given colours that the decoder knows. Super-resolution comes after it, and sees the same features
everywhere: what it learns of hair and skin in the photo's view holds behind, too. Its weights are few, and what rays
bring to it does not change meanwhile, so that a step costs a small part of a rendered view.
"""

from __future__ import annotations

import math
from typing import Annotated, cast

import torch
from pydantic import Field

from toolkit.configuration import Config
from toolkit.encoders.photo_error import photo_error
from toolkit.encoders.photo_outline import PhotoOutline
from toolkit.interfaces import Code, Generator, SuperResolving
from toolkit.losses.perceptual import open_perceptual

STEPS = 40
"""Usual number of steps."""


class SuperResolutionFit(Config):
    """How super-resolution is fitted to the input view, before planes are and once more after."""

    steps: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """Steps of Adam, each time; 0: none. None: 40 where planes are fitted and the generator has super-resolution."""
    rate: Annotated[float, Field(gt=0)] = 0.005
    """Adam's learning rate at the beginning; it falls as a cosine."""
    pixels: Annotated[float, Field(ge=0)] = 12.0
    """Weight of the mean squared difference of pixels."""
    perceptual: str = "lite0"
    """A perceptual distance by name."""
    perceptual_weight: Annotated[float, Field(ge=0)] = 0.8


def fit_superresolution(fit: SuperResolutionFit, generator: SuperResolving, code: Code, outline: PhotoOutline) -> None:
    """Change a generator's super-resolution so that its view of a head is nearer to a photo.

    Args:
        fit: How.
        generator: Changed in place, but only super-resolution; its parameters are frozen afterwards.
        code: The head (batch of 1).
        outline: Of the photo, with photo and camera.

    Raises:
        MissingDependencyError: A package that the perceptual distance needs is not installed.
    """
    perceptual = open_perceptual(fit.perceptual, device=outline.image.device)
    error = photo_error(cast(Generator, generator), code, outline, perceptual, fit.perceptual_weight)
    with torch.no_grad():
        features = generator.rendered_features(code.planes, code.ws, outline.camera)
    parameters = [parameter.requires_grad_(True) for _, parameter in generator.superresolution_parameters()]
    optimiser, steps = torch.optim.Adam(parameters, betas=(0.9, 0.99)), STEPS if fit.steps is None else fit.steps
    with torch.enable_grad():
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = fit.rate * (0.5 + 0.5 * math.cos(math.pi * step / steps))
            pixels, perceived = error.of_view(generator.superresolved(features, code.ws))
            optimiser.zero_grad()
            (fit.pixels * pixels + perceived).backward(inputs=parameters)
            optimiser.step()
    for parameter in parameters:
        parameter.requires_grad_(False).grad = None
