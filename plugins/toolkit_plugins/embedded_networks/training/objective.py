"""What the two kinds of networks are trained for."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.camera import Camera
from toolkit.devices import without_autocast
from toolkit.testing.distortions import DISTORTIONS, distort
from toolkit_plugins.embedded_networks.orderings import paler
from toolkit_plugins.embedded_networks.perception import PerceptualNetwork

_DEPTH_MIDDLE, _DEPTH_SPREAD = 2.6, 0.15
"""World units: about where surfaces of heads lie as the standard cameras see them."""
_SHARPNESS = 5.0
"""Of the ranking: a distance that is 20 % too large costs about one nat."""
_MARGIN = 0.15
"""Log ratio that a ranking asks for."""
FAIR = ("blur", "jpeg", "warp", "hole")
"""Distortions that look worse than the same squared error spent on contrast."""


def facts_of(latents: Tensor, cameras: Tensor) -> Tensor:
    """What a trunk is to tell: [B, z + 3] of latents [B, z] and camera labels [B, 25]."""
    angles = Camera(cameras).angles()
    return torch.cat([latents, torch.stack([angles.yaw.sin(), angles.yaw.cos(), angles.pitch.sin()], 1)], 1)


def reading_losses(network: PerceptualNetwork, image: Tensor, facts: Tensor, depth: Tensor | None) -> dict[str, Tensor]:
    """How badly the trunk tells facts [B, F], and mask and depth [B, 1, S, S] where they are known."""
    told = network.read(image)
    losses = {"facts": F.mse_loss(told.facts, facts)}
    if depth is not None:
        known = F.avg_pool2d((depth > 0).float(), 4)
        near = F.avg_pool2d((depth - _DEPTH_MIDDLE) / _DEPTH_SPREAD * (depth > 0), 4) / known.clamp_min(1 / 16)
        count = len(depth)
        losses["mask"] = F.binary_cross_entropy_with_logits(told.shape[-count:, :1], known)
        losses["depth"] = ((told.shape[-count:, 1:] - near).abs() * known).mean()
    return losses


def ranking_loss(network: PerceptualNetwork, image: Tensor, other: Tensor, step: int, rng: torch.Generator) -> Tensor:
    """How far distances are from agreeing that less of a distortion is nearer than more, and more than another head.

    Args:
        network: The network.
        image: Originals [B, 3, S, S].
        other: Another head in each original's view.
        step: Chooses the distortion.
        rng: Draws severities.
    """
    with without_autocast(image):  # what is looked at has all its bits
        pictures = torch.cat([image, *_rivals(image, other, step, rng)])
    whole = network.embed(pictures)
    parts = list(zip(*(layer.chunk(7) for layer in whole), strict=True))
    reference = parts[0]
    logs = [(network.distances(part, reference) + 1e-5).log() for part in parts[1:]]
    nearer, farther = torch.cat([logs[0], logs[2], logs[5]]), torch.cat([logs[1], logs[3], logs[4]])
    return F.softplus(_SHARPNESS * (nearer - farther + _MARGIN)).mean()


def _rivals(image: Tensor, other: Tensor, step: int, rng: torch.Generator) -> list[Tensor]:
    """What is ranked, in pairs: the first, third and last of six sets [B, 3, S, S] are to be the nearer ones."""
    kinds = list(DISTORTIONS)
    kind, fair = kinds[step % len(kinds)], FAIR[step % len(FAIR)]
    pair = torch.rand(2, len(image), generator=rng)
    low, high = pair.amin(0) * 0.85 + 0.03, pair.amax(0) * 0.85 + 0.13
    less, more = distort(kind, image, low, step), distort(kind, image, high, step)
    slight = distort(kind, image, 0.05 + 0.25 * pair[0], step + 1)
    unfair = distort(fair, image, 0.2 + 0.6 * pair[1], step + 2)
    pale = paler(image, (unfair - image).square().mean((1, 2, 3)))
    return [less, more, slight, other, unfair, pale]
