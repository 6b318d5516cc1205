"""Small checkpoints laid out as the published ones are."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1] / "toolkit" / "weights"))
from official_samples import random_like, with_prefix

from toolkit.encoders.networks.plane_unet import PlaneRefiner, PlaneUnetConfig
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, StyleEncoderConfig

STYLES, WIDTH = 9, 24
TRUNK = {"width": 8, "units": (1, 2, 2, 2)}


def style_encoder(styles: int = STYLES, style_dim: int = WIDTH) -> nn.Module:
    return GradualStyleEncoder(StyleEncoderConfig(styles=styles, style_dim=style_dim, image_size=64, **TRUNK))


def refiner(channels: int = 12, head: int = 10) -> nn.Module:
    return PlaneRefiner(PlaneUnetConfig(plane_channels=channels, head_width=head, **TRUNK))


def average(styles: int = STYLES, style_dim: int = WIDTH) -> Tensor:
    return torch.linspace(-1, 1, style_dim).repeat(styles, 1)


def psp_checkpoint(path: Path, encoder: nn.Module, centre: Tensor | None, **opts: object) -> dict[str, Tensor]:
    """`encoder.*`, `decoder.*` of a generator of 2-D images, `latent_avg`, `opts`; returns the encoder's weights."""
    weights = random_like(encoder)
    decoder = {"decoder.style.1.weight": torch.ones(2, 2), "decoder.convs.0.conv.weight": torch.ones(1, 2, 3, 3)}
    content = {"state_dict": with_prefix("encoder.", weights) | decoder, "opts": {"exp_dir": "/x", "lr": 1e-4, **opts}}
    if centre is not None:
        content["latent_avg"] = centre
    torch.save(content, path)
    return weights


def two_stage(prefix_first: str, prefix_second: str, seed: int, channels: int = 12) -> dict[str, Tensor]:
    """Both stages' weights under names of one's choice."""
    return with_prefix(prefix_first, random_like(style_encoder(), seed)) | with_prefix(
        prefix_second, random_like(refiner(channels), seed + 1)
    )


def dual_release(folder: Path, layout: Mapping[str, str]) -> list[Path]:
    """visible_net.pt, occluded_net.pt, latent_avg.npy; `layout` gives the two stages' prefixes."""
    files = [folder / "visible_net.pt", folder / "occluded_net.pt", folder / "latent_avg.npy"]
    for seed, path in enumerate(files[:2]):
        torch.save({"model": two_stage(layout["first"], layout["second"], 10 * seed)}, path)
    np.save(files[2], average().numpy()[:1])
    return files
