"""Augmenting rendered pictures so that they look like photos, and encoders that learn from them work on photos."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.training.rng import RowRng


def augment(image: Tensor, strength: float, rng: RowRng) -> Tensor:
    """Change light, colour, sharpness and noise of pictures, and put things in front of some.

    Args:
        image: [B, 3, S, S] in [-1, 1] on white, which stays white but for things in front.
        strength: 0 changes nothing, 1 much.
        rng: Random numbers for B rows.

    Returns:
        [B, 3, S, S] in [-1, 1].
    """
    if strength == 0:
        return image
    height, width = image.shape[2:]
    device = image.device

    def around(*shape: int, spread: float) -> Tensor:
        return (rng.normal(*shape) * spread * strength).to(device)

    ink = 1 - (image + 1) / 2  # 0 on white paper
    ink = ink * (1 + around(3, 1, 1, spread=0.08)) * (1 + around(1, 1, 1, spread=0.15))
    ink = ink * (1 + _slope(around(2, 1, 1, spread=0.2), height, width))
    ink = ink.clamp(0, 1) ** around(1, 1, 1, spread=0.15).exp()
    changed = 1 - 2 * ink
    changed = _blurred(changed, strength, rng)
    changed = _hidden(changed, strength, rng)
    noise = rng.normal(*changed.shape[1:]).to(device) * around(1, 1, 1, spread=0.04).abs()
    return (changed + noise).clamp(-1, 1)


def _slope(direction: Tensor, height: int, width: int) -> Tensor:
    """Light from one side: a plane [B, 1, H, W] through 0 with slopes [B, 2, 1, 1]."""
    rows = torch.linspace(-1, 1, height, device=direction.device)[:, None]
    columns = torch.linspace(-1, 1, width, device=direction.device)[None]
    return direction[:, :1] * columns + direction[:, 1:] * rows


def _blurred(image: Tensor, strength: float, rng: RowRng) -> Tensor:
    """A mixture of each picture and its blurred self."""
    smooth = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    share = rng.uniform(1, 1, 1).to(image.device) * strength
    return image.lerp(smooth, share)


def _hidden(image: Tensor, strength: float, rng: RowRng) -> Tensor:
    """An ellipse of one colour over about a third of the pictures, as glasses, hats and hands hide things."""
    height, width = image.shape[2:]
    draws = rng.uniform(8, 1, 1).to(image.device)
    rows = torch.linspace(0, 1, height, device=image.device)[:, None]
    columns = torch.linspace(0, 1, width, device=image.device)[None]
    half_width, half_height = 0.04 + 0.2 * draws[:, 2], 0.03 + 0.12 * draws[:, 3]
    distance = ((columns - draws[:, 0]) / half_width) ** 2 + ((rows - draws[:, 1]) / half_height) ** 2
    there = ((distance < 1) & (draws[:, 4] < 0.35 * strength))[:, None]
    return torch.where(there, draws[:, 5:8] * 2 - 1, image)
