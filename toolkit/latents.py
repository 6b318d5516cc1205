"""Average and spread of a generator's w: where optimisation starts and how far it explores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.interfaces import Generator

SEED = 123
"""Seed of the random heads, the literature's."""
CHUNK = 1000
_known: dict[tuple[object, ...], LatentStatistics] = {}


class LatentStatistics(NamedTuple):
    """Where a generator's w lie."""

    average: Tensor
    """[1, num_ws, w_dim], mean of ws over random z (equal in all layers where the mapping repeats one w)."""
    spread: float
    """Root mean square *distance* of w to the average, one number (not a deviation per coordinate)."""


def latent_statistics(generator: Generator, camera: Camera | None = None, samples: int = 10_000) -> LatentStatistics:
    """Mean and spread of w over random heads, kept for the life of the process.

    Args:
        generator: The generator; it is told apart by its fingerprint.
        camera: Conditions the mapping (batch of 1); None takes the generator's frontal camera.
        samples: Number of random z.

    Returns:
        Average (on the generator's device) and spread, the latter measured on the first layer's w.
    """
    spec, device = generator.spec, generator.device
    camera = (camera or spec.front_camera).to(device)
    key = (spec.fingerprint, samples, str(device), camera.label.detach().cpu().numpy().tobytes())
    if spec.fingerprint and key in _known:
        return _known[key]
    statistics = _measure(generator, camera, samples, device)
    if spec.fingerprint:
        _known[key] = statistics
    return statistics


def random_latents(generator: Generator, samples: int) -> Tensor:
    """The z [samples, z_dim] that the statistics rest on, on the CPU; the same at every call."""
    return torch.from_numpy(np.random.RandomState(SEED).randn(samples, generator.spec.latents.z_dim)).float()


def map_styles(generator: Generator, z: Tensor, truncation: float = 1.0) -> Tensor:
    """Map one latent per head, or one per style (z+), under the frontal camera; gradients pass.

    Args:
        generator: The generator.
        z: [B, 1, z_dim] or [B, num_ws, z_dim].
        truncation: Distance from the mean that is kept.

    Returns:
        ws [B, num_ws, w_dim]; row i of z+ comes from latent i.
    """
    heads, styles = z.shape[:2]
    front = generator.spec.front_camera.to(z.device)
    ws = generator.mapping(z.flatten(0, 1), front.expand(heads * styles), truncation)
    if styles == 1:
        return ws
    index = torch.arange(styles, device=z.device)
    return ws.unflatten(0, (heads, styles))[:, index, index]


def _measure(generator: Generator, camera: Camera, samples: int, device: torch.device) -> LatentStatistics:
    z = random_latents(generator, samples)
    total: Tensor | None = None
    first_layers = []
    with torch.inference_mode(False), torch.no_grad():
        for chunk in z.split(CHUNK):
            ws = generator.mapping(chunk.to(device), camera.expand(len(chunk))).double()
            total = ws.sum(0, keepdim=True) if total is None else total + ws.sum(0, keepdim=True)
            first_layers.append(ws[:, 0])
    assert total is not None  # samples >= 1 by the settings' type
    average = total / samples
    distances = (torch.cat(first_layers) - average[:, 0]).square().sum(1)
    return LatentStatistics(average.float(), float(distances.mean().sqrt()))
