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
    """A latent [1, 512]."""
    return torch.randn(1, model.config.z_dim, generator=torch.Generator().manual_seed(1))


def code(model: PanoHead) -> Tensor:
    """Its code [1, 14, 512]."""
    with torch.no_grad():
        return model.mapping(latent(model), CAMERA)


def average_code(model: PanoHead) -> Tensor:
    """The average latent as ws [1, num_ws, w_dim]."""
    return model.backbone.mapping.w_avg.expand(1, model.num_ws, -1)
