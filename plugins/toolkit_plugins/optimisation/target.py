"""What an optimisation aims at: the input checked and brought to the generator's size."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit.interfaces import Generator

OnStep = Callable[[int, int, Mapping[str, float]], None]
"""Told (steps done, steps in all, losses by name) after each step."""


def as_target(image: Tensor, generator: Generator) -> Tensor:
    """The image [1, 3, S, S] at the generator's size, on its device, in float32.

    Raises:
        InputError: Not one square RGB image, or values beyond [-1, 1] or not finite.
    """
    if image.ndim != 4 or image.shape[0] != 1 or image.shape[1] != 3 or image.shape[2] != image.shape[3]:
        raise InputError(f"the image must have shape [1, 3, S, S], got {list(image.shape)}")
    target = image.detach().to(generator.device, torch.float32).clone()
    if not torch.isfinite(target).all() or target.abs().max() > 1.01:
        raise InputError("the image must hold values in [-1, 1]")
    return resized(target, generator.spec.image_size)


def as_single_camera(camera: Camera, generator: Generator) -> Camera:
    """One camera on the generator's device.

    Raises:
        InputError: There is not exactly one.
    """
    if len(camera) != 1:
        raise InputError(f"one image needs one camera, got {len(camera)}")
    return Camera(camera.label.detach().to(generator.device, torch.float32).clone())


def as_mask(mask: Tensor | None, generator: Generator) -> Tensor | None:
    """A loss mask [1, 1, S, S] in [0, 1] at the generator's size; None stays None.

    Raises:
        InputError: Another shape.
    """
    if mask is None:
        return None
    if mask.ndim != 4 or mask.shape[:2] != (1, 1) or mask.shape[2] != mask.shape[3]:
        raise InputError(f"the mask must have shape [1, 1, S, S], got {list(mask.shape)}")
    return resized(mask.detach().to(generator.device, torch.float32).clone(), generator.spec.image_size)


def resized(image: Tensor, size: int) -> Tensor:
    """Bring [B, C, H, W] to [B, C, size, size]: area means where it shrinks, antialiased bilinear where it grows."""
    if image.shape[-1] == size and image.shape[-2] == size:
        return image
    if image.shape[-1] > size:
        return functional.interpolate(image, size=(size, size), mode="area")
    return functional.interpolate(image, size=(size, size), mode="bilinear", align_corners=False, antialias=True)
