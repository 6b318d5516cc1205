"""The camera conventions of PanoHead's scripts, rounded constants included; for comparing with official results."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from toolkit.camera import FOCAL, RADIUS, Camera, look_at, pinhole

_HALF_TURN = 3.14
_V_LIMIT = 1e-5
_HALF_DEGREE = 3.14159 / 360
_FIELD_FACTOR = 1.414
_SWEEP = {"h": 1.5, "v": 0.25}


def look_at_sampler(
    h: Tensor | Sequence[float],
    v: Tensor | Sequence[float],
    pivot: Tensor | Sequence[float] = (0.0, 0.0, 0.0),
    radius: float | Tensor = RADIUS,
) -> Tensor:
    """cam2world [B, 4, 4] of cameras on a sphere round the world's origin that look at a pivot.

    Args:
        h: [B] radians; pi/2 is the front, more moves the camera towards +x.
        v: [B]; pi/2 is level, less is above. Not an angle: uniform in the cosine of the polar angle.
        pivot: [3] or [B, 3], the point looked at.
        radius: Distance from the origin, a number or [B].
    """
    azimuth, height = (torch.as_tensor(value, dtype=torch.float32).reshape(-1) for value in (h, v))
    height = height.clamp(_V_LIMIT, math.pi - _V_LIMIT)
    polar = torch.arccos(1 - 2 * (height / math.pi))
    direction = torch.stack(
        [
            polar.sin() * (math.pi - azimuth).cos(),
            polar.cos().expand_as(azimuth),
            polar.sin() * (math.pi - azimuth).sin(),
        ],
        dim=1,
    )
    distance = torch.as_tensor(radius, dtype=torch.float32).reshape(-1, 1)
    return look_at(distance * direction, torch.as_tensor(pivot, dtype=torch.float32))


def focal_of(degrees: float) -> float:
    """Focal length divided by the image width, from a field of view in degrees."""
    return 1 / (math.tan(degrees * _HALF_DEGREE) * _FIELD_FACTOR)


def head_turn(frames: int, pivot: Sequence[float] = (0.0, 0.0, 0.0), radius: float = RADIUS) -> Camera:
    """The cameras of the official 360-degree head video."""
    turn = 2 * _HALF_TURN * torch.arange(frames, dtype=torch.float64) / frames
    cam2world = look_at_sampler(_HALF_TURN / 2 + turn, _HALF_TURN / 2 - 0.05 + 0.5 * turn.sin(), pivot, radius)
    return Camera.from_matrices(cam2world, pinhole(FOCAL))


def frontal_sweep(frames: int, pivot: Sequence[float] = (0.0, 0.0, 0.2), radius: float = RADIUS) -> Camera:
    """The cameras of the official frontal video (configurations other than heads)."""
    turn = 2 * _HALF_TURN * torch.arange(frames, dtype=torch.float64) / frames
    cam2world = look_at_sampler(
        _HALF_TURN / 2 + _SWEEP["h"] * turn.sin(), _HALF_TURN / 2 - 0.05 + _SWEEP["v"] * turn.cos(), pivot, radius
    )
    return Camera.from_matrices(cam2world, pinhole(FOCAL))


def label_angles(camera: Camera) -> Tensor:
    """Yaw, pitch, roll [B, 3] in degrees as the official training set's filter computes them."""
    flip = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))
    rotation = torch.linalg.inv(camera.cam2world.double() @ flip)[:, :3, :3]
    yaw = torch.asin(rotation[:, 2, 0].clamp(-1, 1))
    pitch = torch.atan2(rotation[:, 2, 1] / yaw.cos(), rotation[:, 2, 2] / yaw.cos())
    beyond = torch.where(yaw < 0, -math.pi - yaw, math.pi - yaw)
    yaw = torch.where(pitch.abs() > math.pi / 2, beyond, yaw)
    pitch = torch.atan2(rotation[:, 2, 1] / yaw.cos(), rotation[:, 2, 2] / yaw.cos())
    roll = torch.atan2(rotation[:, 1, 0] / yaw.cos(), rotation[:, 0, 0] / yaw.cos())
    return torch.rad2deg(torch.stack([yaw, pitch, roll], dim=1))


def sheared_grid(count: int, side: float) -> Tensor:
    """The points [count^3, 3] of the official shape extraction, with its shear of up to one voxel.

    Only for bit comparison: a straight grid differs by less than one voxel.
    """
    index = torch.arange(count**3)
    voxel = side / (count - 1)
    z = index % count
    y = (index.float() / count) % count
    x = ((index.float() / count) / count) % count
    return torch.stack([x, y, z.float()], dim=1) * voxel - side / 2
