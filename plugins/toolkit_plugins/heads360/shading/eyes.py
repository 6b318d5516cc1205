"""Eyes and what is inside a mouth."""

from __future__ import annotations

import numpy as np

from toolkit_plugins.heads360.eyeball import Eye
from toolkit_plugins.heads360.geometry import F32, Floats, dot, smoothstep, unit
from toolkit_plugins.heads360.light import Light
from toolkit_plugins.heads360.noise import noise
from toolkit_plugins.heads360.shading.samples import Samples

_IRIS, _PUPIL = 0.475, 0.165
"""Radii as angles from the eye's middle, radians."""


def shade_eye(s: Samples, eye: Eye, iris: Floats, irradiance: Floats, openness: Floats, light: Light) -> Floats:
    """Radiance [N, 3] of an eyeball."""
    out = unit(s.points - eye.centre)
    ahead = np.clip(out @ eye.gaze, -1, 1)
    angle = np.arccos(ahead)
    ratio = angle / F32(_IRIS)
    right = unit(np.cross([0, 1, 0], eye.gaze))
    turn = np.arctan2(out @ np.cross(eye.gaze, right), out @ right)
    white = np.array([0.86, 0.82, 0.78], F32) * (
        1 - np.array([0, 0.15, 0.17], F32) * smoothstep(0.55, 1.2, angle)[:, None]
    )
    white = white * (1 + 0.05 * noise(out, 14))[:, None]
    fibres = noise(np.stack([np.cos(turn) * 9, np.sin(turn) * 9, ratio * 1.5], 1).astype(F32))
    ring = (0.75 + 0.7 * smoothstep(0.35, 0.8, ratio) * (ratio < 1)) * (1 - 0.75 * smoothstep(0.78, 1.0, ratio))
    colour = iris * ((1 + 0.35 * fibres) * ring)[:, None]
    inside = smoothstep(1.06, 0.93, ratio)[:, None]
    pupil = smoothstep(_PUPIL / _IRIS * 1.1, _PUPIL / _IRIS * 0.9, ratio)[:, None]
    albedo = (white * (1 - inside) + colour * inside) * (1 - pupil) + F32(0.004) * pupil
    seen = s.mixed(openness)
    facing = np.clip(out @ light.lamp_direction * 0.8 + 0.2, 0, 1) * s.lamp
    received = s.mixed(irradiance) * (0.6 + 0.4 * seen)[:, None] + facing[:, None] * light.lamp / np.pi
    shadow = 0.72 + 0.28 * smoothstep(0.05, 0.5, seen)
    return np.asarray(albedo * received * shadow[:, None] + _reflections(s, eye, out, ahead, ratio, seen, light), F32)


def _reflections(s: Samples, eye: Eye, out: Floats, ahead: Floats, ratio: Floats, seen: Floats, light: Light) -> Floats:
    """Catch lights on the cornea, which bulges over the iris."""
    bulge = np.where(ratio < 1, F32(0.75), F32(0))[:, None] * (out - eye.gaze * ahead[:, None])
    normal = unit(out + bulge)
    along = np.clip(dot(normal, unit(light.lamp_direction + s.viewer)), 0, 1)
    lamp = (along**260 * 8 + along**60 * 0.3) * s.lamp
    mirrored = 2 * dot(normal, s.viewer)[:, None] * normal - s.viewer
    sky = (0.025 * seen)[:, None] * light.radiance(mirrored)
    window = unit(np.array([0.22 * np.sign(light.lamp_direction[0] + 1e-6), 0.38, 1.0]))
    catch = np.clip((mirrored @ window - 0.975) / 0.014, 0, 1) * np.clip(seen * 1.6, 0, 1)
    return np.asarray(
        lamp[:, None] * light.lamp / 9 + sky + catch[:, None] * (light.sky * 0.9 + light.lamp * 0.35), F32
    )


def shade_mouth(s: Samples, teeth: bool, irradiance: Floats, light: Light) -> Floats:
    """Radiance [N, 3] of teeth and gums, or of a tongue; deep inside it is dark."""
    x, y, z = s.places.T
    upper = y > 6.655
    angle = np.arctan2(x, z - 1.0) * np.where(upper, 11.5, 14.5)
    gap = np.abs(np.cos(angle * np.pi * 0.5)) < 0.10
    scallop = 0.012 * np.abs(np.sin(angle * np.pi * 0.5))
    gum = np.where(upper, smoothstep(6.765, 6.79, y - scallop), smoothstep(6.54, 6.52, y))
    enamel = np.array([0.70, 0.64, 0.53], F32) * (1 - 0.4 * gap[:, None]) * (1 - gum[:, None])
    colour = enamel + np.array([0.42, 0.14, 0.14], F32) * gum[:, None]
    if not teeth:
        colour = np.tile(np.array([0.40, 0.13, 0.12], F32), (len(s.kinds), 1))
    facing = np.clip(dot(s.normals, s.viewer), 0, 1)
    front = 0.14 + 0.5 * smoothstep(1.15, 1.5, z)
    around = light.environment().mean(0) * (96 / np.pi) * 0.5
    lamp = np.clip(s.normals @ light.lamp_direction, 0, 1) * s.lamp
    direct = light.lamp * (0.22 * lamp)[:, None]
    received = 0.35 * s.mixed(irradiance) + front[:, None] * (around * 0.8 * facing[:, None] + direct)
    return np.asarray(colour * received + 0.03 * (facing**20)[:, None] * around, F32)
