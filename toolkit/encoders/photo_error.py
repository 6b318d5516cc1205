"""How far a head is from a photo, where the photo says something about the head."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from toolkit.encoders.descent import ViewError
from toolkit.encoders.photo_outline import PhotoOutline
from toolkit.interfaces import Code, Generator, Perceptual

MATTER = 0.5
"""Opacity from which on a pixel shows the head."""


@torch.no_grad()
def photo_error(
    generator: Generator, code: Code, outline: PhotoOutline, perceptual: Perceptual, weight: float
) -> ViewError:
    """The error of the input view, without pixels whose colours are not the head's.

    Args:
        generator: Renders the head.
        code: Where a fit begins (batch of 1): the head's own outline counts, too.
        outline: Of the photo, with photo and camera.
        perceptual: What compares views besides their pixels.
        weight: Of what it says.
    """
    head = generator.render(code.planes, code.ws, outline.camera).mask
    head = F.interpolate(head, size=outline.image.shape[-2:], mode="bilinear", align_corners=False) > MATTER
    return ViewError(perceptual, weight, outline.image, outline.camera, outline.unclear(head))
