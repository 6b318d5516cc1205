"""Two spherical tri-planes ("balls"): where a point lies on each of their maps, and how much each ball counts there.

Ball A's maps have the face at their centre and the seam at the back of the head; ball B's have the back of the head at
their centre and the seam along the face. A ball counts nothing on its own seam and poles, so the seams are never seen.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

_AXES = ((2, 1, 0), (2, 0, 1))
_SIGNS = ((1.0, 1.0, -1.0), (-1.0, -1.0, 1.0))
"""World axis and sign of x', y', z' of each ball: (z, y, -x) and (-z, -x, y)."""
_BLEND_EPSILON = 1e-8
_ROOT_EPSILON = 1e-30
"""Keeps gradients finite on the polar axes."""


class Places(NamedTuple):
    """Where points are read."""

    coordinates: Tensor
    """[B, 2, 3, M, 2]: per ball, on the maps (theta, phi), (theta, r), (phi, r); along W, along H, in [-1, 1]."""
    shares: Tensor
    """[B, 2, M], each ball's share of a point; they sum to 1, but at the origin to 0."""


def places(points: Tensor) -> Places:
    """Where points [B, M, 3] of the cube [-1, 1]^3 lie on the maps of both balls."""
    axes = torch.tensor(_AXES, device=points.device)
    turned = points[..., axes] * points.new_tensor(_SIGNS)
    x, y, z = turned.unbind(dim=-1)  # [B, M, 2] each
    theta = torch.atan2((x.square() + y.square() + _ROOT_EPSILON).sqrt(), z) * (2 / math.pi) - 1
    phi = torch.atan2(y, x) / math.pi
    radius = (points.square().sum(dim=-1) + _ROOT_EPSILON).sqrt() * (2 / math.sqrt(3)) - 1
    radius = radius[..., None].expand_as(theta)
    pairs = (theta, phi), (theta, radius), (phi, radius)
    maps = torch.stack([torch.stack(pair, dim=-1) for pair in pairs])
    weight = (1 + (math.pi * theta).cos()) / 2 * ((1 + (math.pi * phi).cos()) / 2)
    # at the origin no angle is defined, and both balls count nothing
    weight = weight * (points.abs().amax(dim=-1, keepdim=True) > 0)
    shares = weight / (weight.sum(dim=-1, keepdim=True) + _BLEND_EPSILON)
    return Places(maps.permute(1, 3, 0, 2, 4), shares.transpose(1, 2))
