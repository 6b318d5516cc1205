"""The heads as functions of a latent: the capability `ProceduralHeads`."""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit.interfaces import RayColours
from toolkit_plugins.heads360.details import draw_details
from toolkit_plugins.heads360.head import Head
from toolkit_plugins.heads360.identity import latent_of
from toolkit_plugins.heads360.parameters import LATENT_DIM, head_parameters
from toolkit_plugins.heads360.tracing import trace_rays
from toolkit_plugins.heads360.wild import WildHead


class Heads:
    """Clean heads: exactly what the latent says."""

    latent_dim = LATENT_DIM

    def latent(self, split: str, seed: int, index: int) -> Tensor:
        """The latent [latent_dim] of a subject, float32, RMS 1; splits never share one.

        Raises:
            InputError: An unknown split, or a negative number.
        """
        return latent_of(split, seed, index)

    def trace(self, latent: Tensor, origins: Tensor, directions: Tensor) -> RayColours:
        """Look along rays [R, 3], [R, 3] (unit) at the head with this latent.

        Raises:
            InputError: `latent` is not [latent_dim] of finite numbers.
        """
        return trace_rays(Head(head_parameters(latent)), origins, directions)

    def trace_dressed(
        self, latent: Tensor, outfit: tuple[str, int, int], origins: Tensor, directions: Tensor
    ) -> RayColours:
        """Look along rays [R, 3], [R, 3] (unit) at this head with the wild details and light of another subject.

        Raises:
            InputError: `latent` is not [latent_dim] of finite numbers, or there is no such subject.
        """
        return trace_rays(WildHead(head_parameters(latent), draw_details(*outfit)), origins, directions)

    def landmarks(self, latent: Tensor) -> Tensor:
        """Image-left eye, image-right eye, nose tip, image-left and -right mouth corner in world units [5, 3].

        Raises:
            InputError: `latent` is not [latent_dim] of finite numbers.
        """
        return landmarks(Head(head_parameters(latent)))


def landmarks(head: Head) -> Tensor:
    """The five landmarks [5, 3] of a head (see `Heads.landmarks`)."""
    at = head.at
    (ex, ey, ez), (mx, my, mz) = at.eye, (at.mouth_half, at.mouth[1], at.mouth[2])
    front, nose, corner = ez + at.eye_radius, (0.0, at.nose_tip[1], at.nose_tip[2] + 0.02), mz - 0.012
    return torch.tensor([(-ex, ey, front), (ex, ey, front), nose, (-mx, my, corner), (mx, my, corner)])
