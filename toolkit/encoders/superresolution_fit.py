"""Super-resolution fitted to one photo: hues that no head of the generator has, on all sides of the head.

Planes can only be given colours that the decoder knows. Super-resolution comes after it, and sees the same features
everywhere: what it learns of hair and skin in the photo's view holds behind, too. Its weights are few, and what rays
bring to it does not change meanwhile, so that a step costs a small part of a rendered view.
"""

from __future__ import annotations

import torch

from toolkit.camera import Camera
from toolkit.encoders.descent import ViewError
from toolkit.encoders.photo_fit import PhotoFit, Rate, Steps, Weight
from toolkit.encoders.photo_outline import PhotoOutline
from toolkit.interfaces import Code, SuperResolving
from toolkit.losses.perceptual import open_perceptual
from toolkit.losses.reconstruction import l2

_FAR = 100.0
"""World units; heads are about half a unit wide."""


class SuperResolutionFit(PhotoFit):
    """How super-resolution is fitted to the input view, before planes are and once more after."""

    steps: Steps | None = None
    """Steps, each time; 0: none. None: 40 where planes are fitted and the generator has super-resolution."""
    rate: Rate = 0.005
    pixels: Weight = 12.0
    perceptual_weight: Weight = 0.8
    background: Weight = 240.0
    """Weight of the mean squared change of a picture of nothing, whose border would take on the cloth's colour."""


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
    # the whole picture counts: weights that serve every pixel cannot paint the background onto a head
    error = ViewError(perceptual, fit.perceptual_weight, outline.image, outline.camera)
    with torch.no_grad():
        features = generator.rendered_features(code.planes, code.ws, outline.camera)
        nothing = generator.rendered_features(code.planes, code.ws, _beside(outline.camera))
        background = generator.superresolved(nothing, code.ws)
    parameters = [parameter.requires_grad_(True) for _, parameter in generator.superresolution_parameters()]
    optimiser = torch.optim.Adam(parameters, betas=(0.9, 0.99))
    with torch.enable_grad():
        for step in range(fit.count):
            optimiser.param_groups[0]["lr"] = fit.rate_at(step)
            pixels, perceived = error.of_view(generator.superresolved(features, code.ws))
            painted = l2(generator.superresolved(nothing, code.ws), background)
            optimiser.zero_grad()
            (fit.pixels * pixels + perceived + fit.background * painted).backward(inputs=parameters)
            optimiser.step()
    for parameter in parameters:
        parameter.requires_grad_(False).grad = None


def _beside(camera: Camera) -> Camera:
    """A camera far beside another, from where nothing is seen."""
    return camera.shifted(camera.label.new_tensor([[_FAR, 0.0, 0.0]]))
