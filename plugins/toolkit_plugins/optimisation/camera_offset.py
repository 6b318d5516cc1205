"""Two corrections of the camera: one learnt together with the code, and PanoHead's own self-adaptation."""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.errors import CapabilityError
from toolkit.interfaces import CameraShift, Generator
from toolkit.latents import random_latents


class CameraOffset:
    """A small correction where a pose estimate is not trusted.

    A turn about the world's origin (as if the head turned), then a shift of the camera's centre; both start at zero,
    the intrinsics stay.
    """

    def __init__(self, start: Camera) -> None:
        """Start from a camera (batch of 1)."""
        self.start = start
        self.turn = start.label.new_zeros(1, 3).requires_grad_(True)
        self.shift = start.label.new_zeros(1, 3).requires_grad_(True)

    @property
    def parameters(self) -> list[Tensor]:
        """Rotation vector [1, 3] in radians and shift [1, 3] in world units."""
        return [self.turn, self.shift]

    def moved(self) -> Camera:
        """The corrected camera, differentiable in the parameters."""
        x, y, z = self.turn[0]
        zero = torch.zeros_like(x)
        generator = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)
        rotation = torch.linalg.matrix_exp(generator)
        upper = rotation @ self.start.cam2world[:, :3]
        upper = torch.cat([upper[:, :, :3], upper[:, :, 3:] + self.shift[:, :, None]], dim=2)
        cam2world = torch.cat([upper, self.start.cam2world[:, 3:]], dim=1)
        return Camera.from_matrices(cam2world, self.start.intrinsics)

    def current(self) -> Camera:
        """The corrected camera, detached."""
        return Camera(self.moved().label.detach())


def adapted_camera(generator: Generator, camera: Camera, samples: int) -> Camera:
    """Shift a camera as PanoHead's script with segmentation does: by the self-adaptation at the mean of the random z.

    The mapping normalises its input, so this "mean" is an arbitrary but fixed head; kept for fidelity.

    Raises:
        CapabilityError: The generator has no self-adaptation.
    """
    if not isinstance(generator, CameraShift):
        raise CapabilityError(
            f"generator {generator.spec.name!r} has no camera self-adaptation: set adapt_camera=false"
        )
    mean = random_latents(generator, samples).mean(0, keepdim=True).to(camera.label.device)
    with torch.inference_mode(False), torch.no_grad():
        return camera.shifted(generator.camera_shift(mean, camera))
