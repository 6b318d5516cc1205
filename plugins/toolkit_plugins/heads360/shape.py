"""The signed distance of a head without hair: skull, face, ears, neck, clothes, glasses.

All functions take points with x >= 0 (`Points.folded`): both sides of a head are alike.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from toolkit_plugins.heads360.parameters import HeadParameters
from toolkit_plugins.heads360.solids import Place, Points, capsule, cut, ellipsoid, sphere, union

EAR_TURN = 0.32
"""How far ears stand off, radians."""
EAR_CENTRE_Y, EAR_CENTRE_Z = 0.002, -0.022


class Anatomy(NamedTuple):
    """Where things stand on a head, world units, on the side of positive x."""

    skull: Place
    skull_radii: Place
    jaw: Place
    jaw_radii: Place
    eye: Place
    eye_radius: float
    nose_tip: Place
    mouth: Place
    mouth_half: float
    brow: Place

    @property
    def ear(self) -> Place:
        """Centre of an ear."""
        return (self.skull_radii[0] * 0.985, EAR_CENTRE_Y, EAR_CENTRE_Z)


def anatomy(p: HeadParameters) -> Anatomy:
    """Place the parts of a head."""
    eye = (0.070 * p.eye_spacing, 0.022 + p.eye_height, 0.152)
    return Anatomy(
        skull=(0.0, 0.055, -0.02),
        skull_radii=(0.182 * p.skull_width, 0.198 * p.skull_height, 0.212 * p.skull_depth),
        jaw=(0.0, -0.062 - p.jaw_length, 0.045),
        jaw_radii=(0.128 * p.jaw_width, 0.132, 0.128),
        eye=eye,
        eye_radius=0.040 * p.eye_size,
        nose_tip=(0.0, -0.045 - 0.5 * p.nose_length, 0.207 + p.nose_length),
        mouth=(0.0, -0.106 + p.mouth_height - 0.5 * p.jaw_length, 0.176),
        mouth_half=0.046 * p.mouth_width,
        brow=(eye[0], eye[1] + 0.052 + p.brow_height, 0.178),
    )


def bare(q: Points, at: Anatomy) -> Tensor:
    """Skull and jaw alone: what a beard is offset from."""
    return union(ellipsoid(q, at.skull, at.skull_radii), ellipsoid(q, at.jaw, at.jaw_radii), 0.09)


def skin(q: Points, p: HeadParameters, at: Anatomy) -> Tensor:
    """Head, face and neck, with sockets for the eyes."""
    d = bare(q, at)
    d = union(d, sphere(q, (0.0, at.jaw[1] - 0.092, 0.128), 0.026 + 0.008 * p.chin), 0.06)
    d = union(d, sphere(q, (0.088 * p.jaw_width, -0.035, 0.118), 0.028 + 0.010 * p.cheeks), 0.06)
    ridge = capsule(q, (0.02, at.brow[1] - 0.012, 0.175), (0.105, at.brow[1] - 0.020, 0.128), 0.018, 0.014)
    d = union(d, ridge, 0.035)
    ex, ey, ez = at.eye
    socket = ellipsoid(q, (ex, ey, ez + 0.045), (at.eye_radius * 1.12, at.eye_radius * 0.82, 0.05))
    d = cut(d, -socket, 0.022)
    d = _with_nose(d, q, p, at)
    d = _with_mouth(d, q, p, at)
    return union(d, _neck(q, p), 0.05)


def _with_nose(d: Tensor, q: Points, p: HeadParameters, at: Anatomy) -> Tensor:
    x, y, z = at.nose_tip
    bridge = capsule(
        q, (0.0, at.eye[1] + 0.012, 0.168 + 0.010 * p.nose_bridge), (0.0, y + 0.01, z - 0.006), 0.014, 0.018
    )
    d = union(d, bridge, 0.022)
    d = union(d, ellipsoid(q, (x, y, z), (0.023 * p.nose_width, 0.020, 0.022)), 0.016)
    return union(d, sphere(q, (0.022 * p.nose_width, y - 0.005, z - 0.020), 0.0145), 0.012)


def _with_mouth(d: Tensor, q: Points, p: HeadParameters, at: Anatomy) -> Tensor:
    x, y, z = at.mouth
    half, full = at.mouth_half, lip_height(p)
    d = union(d, ellipsoid(q, (x, y, z - 0.018), (half * 1.1, 0.026, 0.026)), 0.03)
    curved = Points(q.x, q.y - p.smile * (q.x / half).square(), q.z + 0.35 * q.x.square() / half)
    upper = ellipsoid(curved, (x, y + 0.75 * full, z + 0.004), (half, full, 0.013))
    lower = ellipsoid(curved, (x, y - 0.95 * full, z + 0.003), (half * 0.86, 1.15 * full, 0.014))
    return union(d, union(upper, lower, 0.003), 0.008)


def lip_height(p: HeadParameters) -> float:
    """Half the height of the upper lip."""
    return 0.0085 * p.lip_fullness


def _neck(q: Points, p: HeadParameters) -> Tensor:
    width = 0.082 * p.neck_width
    return capsule(q, (0.0, -0.10, -0.03), (0.0, -0.40, -0.055), width, width * 1.12)


def ears(q: Points, p: HeadParameters, at: Anatomy) -> Tensor:
    """Hollowed discs that stand off a little."""
    size, (x, y, z) = p.ear_size, at.ear
    c, s = math.cos(EAR_TURN), math.sin(EAR_TURN)
    dx, dz = q.x - x, q.z - z
    turned = Points(c * dx + s * dz, q.y - y, -s * dx + c * dz)
    outer = ellipsoid(turned, (0.0, 0.0, 0.0), (0.017, 0.047 * size, 0.031 * size))
    hollow = ellipsoid(turned, (0.016, 0.004, 0.003), (0.013, 0.032 * size, 0.019 * size))
    return cut(outer, -hollow, 0.008)


def eyeball(q: Points, at: Anatomy) -> Tensor:
    """Signed distance to the surface of the eyeball."""
    return sphere(q, at.eye, at.eye_radius)


def lids(q: Points, p: HeadParameters, at: Anatomy) -> Tensor:
    """A shell round the eyeball, open between two bent planes."""
    r = at.eye_radius
    x, y = q.x - at.eye[0], q.y - at.eye[1]
    shell = length_from(q, at.eye) - (r + 0.0045)
    opening = p.eye_open * r * (1 - 0.55 * (x / r).square()).clamp_min(0.0)
    upper, lower = y - opening * 0.92, -y - opening * 0.72
    return cut(shell, -torch.maximum(upper, lower), 0.003)


def length_from(q: Points, centre: Place) -> Tensor:
    """Distance from a place."""
    return sphere(q, centre, 0.0)


def clothes(q: Points, p: HeadParameters) -> Tensor:
    """Shoulders and a collar."""
    top = -0.275 - 0.02 * p.neckline
    body = ellipsoid(q, (0.0, -0.47, -0.045), (0.335, 0.205, 0.175))
    collar = capsule(q, (0.0, -0.50, -0.05), (0.0, top + 0.005, -0.045), 0.145, 0.108 + 0.012 * p.neckline)
    rim = q.y - top + 0.35 * (q.z - 0.02).clamp_min(0) * p.neckline
    return cut(union(body, collar, 0.06), rim, 0.012)


def glasses(q: Points, p: HeadParameters, at: Anatomy) -> Tensor:
    """Rims, bridge and arms, as thick as `p.glasses` says."""
    thick = 0.0062 * p.glasses
    x, y, z = at.eye[0] * 1.02, at.eye[1] - 0.002, at.eye[2] + at.eye_radius + 0.020
    rx, ry = 0.052, 0.036 + 0.014 * p.glasses_round
    dx, dy = q.x - x, q.y - y
    dz = q.z - z + 0.25 * dx.clamp_min(0)
    power = 2.0 + 2.0 * (1 - p.glasses_round)
    radial = ((dx / rx).abs().pow(power) + (dy / ry).abs().pow(power) + 1e-9).pow(1 / power)
    ring = torch.sqrt(((radial - 1) * min(rx, ry)).square() + dz.square() + 1e-9) - thick
    bridge = capsule(q, (0.0, y + 0.008, z + 0.003), (x - rx, y + 0.008, z), thick, thick)
    arm = capsule(q, (x + rx, y + 0.006, z - 0.015), (at.skull_radii[0] + 0.012, y + 0.006, -0.03), thick, thick)
    return torch.minimum(ring, torch.minimum(bridge, arm))
