"""PanoHead at its released sizes with random weights, the same in every process."""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit_plugins.panohead.generator import PanoHead

CAMERA = Camera.orbit(0.3, 0.1)


def generator() -> PanoHead:
    torch.manual_seed(0)
    return PanoHead().eval()


def latent(model: PanoHead) -> Tensor:
    """z [1, 512]."""
    return torch.randn(1, model.config.z_dim, generator=torch.Generator().manual_seed(1))


def code(model: PanoHead) -> Tensor:
    """ws [1, 14, 512] of it."""
    with torch.no_grad():
        return model.mapping(latent(model), CAMERA)
