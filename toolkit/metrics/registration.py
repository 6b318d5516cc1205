"""PSNR after the picture was aligned with its target: the error without that of a wrong camera or scale.

A head that stands a little aside, or is a little larger, differs from its picture everywhere. `psnr` and `psnr_aligned`
side by side tell how much of an error is that.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.data.transforms import resize
from toolkit.metrics.images import at_compared_size, psnr, squared_error
from toolkit.metrics.state import MeanMetric

SIDES = (32, 64, 128)
"""Pixels at which the map is searched for, one after the other."""
STEPS = 12
LIMITS = (math.log(1.25), 0.35, 0.5, 0.5)
"""Most that is forgiven: log scale, turn in radians, shift in half picture sides (x, y)."""


def moved(image: Tensor, movement: Tensor) -> Tensor:
    """Pictures [B, C, H, W] scaled, turned and shifted; what comes from outside continues the border.

    Args:
        image: The pictures.
        movement: [B, 4]: log scale, turn in radians, shift in half picture sides (x, y), of the places that are read.
    """
    scale, turn, shift = movement[:, 0].exp(), movement[:, 1], movement[:, 2:]
    cosine, sine = scale * turn.cos(), scale * turn.sin()
    matrix = torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)
    places = F.affine_grid(torch.cat([matrix, shift[..., None]], 2), list(image.shape), align_corners=False)
    return F.grid_sample(image, places, padding_mode="border", align_corners=False)


def alignment(image: Tensor, target: Tensor) -> Tensor:
    """The movement [B, 4] (see `moved`) that brings pictures nearest to their targets, both [B, 3, S, S].

    Gauss-Newton steps with damping, from coarse to fine; a step that makes the squared error larger is not taken.
    """
    movement = image.new_zeros(len(image), 4)
    limits = image.new_tensor(LIMITS)
    sides = [side for side in SIDES if side < image.shape[-1]] or [image.shape[-1]]
    for side in sides:
        small, aim = resize(image, side), resize(target, side)
        damping = image.new_full((len(image), 1, 1), 1e-3)
        error = squared_error(moved(small, movement), aim)
        for _ in range(STEPS):
            step = _step(small, aim, movement, damping)
            tried = (movement + step).clamp(-limits, limits)
            new = squared_error(moved(small, tried), aim)
            better = new < error
            movement, error = torch.where(better[:, None], tried, movement), torch.where(better, new, error)
            damping = torch.where(better[:, None, None], damping / 3, damping * 10)
    return movement


def aligned_psnr(image: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio [B] of the better one: the pictures as they are, or moved onto their targets."""
    return torch.maximum(psnr(image, target), psnr(moved(image, alignment(image, target)), target))


def _step(image: Tensor, target: Tensor, movement: Tensor, damping: Tensor) -> Tensor:
    """The damped Gauss-Newton step [B, 4]."""
    side = image.shape[-1]
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) * (side / 4)
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) * (side / 4)
    seen, across, down = moved(torch.cat([image, across, down], 1), movement).chunk(3, 1)
    y, x = torch.meshgrid(*[(torch.arange(side, device=image.device) + 0.5) * (2 / side) - 1] * 2, indexing="ij")
    scale, turn = movement[:, 0].exp()[:, None, None], movement[:, 1][:, None, None]
    read_x, read_y = scale * (turn.cos() * x - turn.sin() * y), scale * (turn.sin() * x + turn.cos() * y)
    by_scale = across * read_x[:, None] + down * read_y[:, None]
    by_turn = down * read_x[:, None] - across * read_y[:, None]
    jacobian = torch.stack([by_scale, by_turn, across, down], -1).flatten(1, 3)
    residual = (seen - target).flatten(1)[..., None]
    normal = jacobian.transpose(1, 2) @ jacobian
    normal = normal + damping * torch.diag_embed(normal.diagonal(dim1=1, dim2=2) + 1e-6)
    return -torch.linalg.solve(normal, jacobian.transpose(1, 2) @ residual)[..., 0]


class AlignedPsnr(MeanMetric):
    """PSNR after the best scale, turn and shift of the whole picture (see `aligned_psnr`), averaged in decibels."""

    name, direction, unit, takes = "psnr_aligned", "higher", "dB", "pair"

    def score(self, image: Tensor, target: Tensor) -> Tensor:
        """Peak signal-to-noise ratios [B] in decibels, never below those of `psnr`."""
        image, target, _ = at_compared_size(image, target, None)
        return aligned_psnr(image, target)
