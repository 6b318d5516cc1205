"""The augmentation of a face for the student: moved, mirrored, in other light, blurred, noisy, compressed."""

from __future__ import annotations

import io
import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from toolkit.data.transforms import resize
from toolkit.faces.template import ARCFACE_SIZE
from toolkit_plugins.photo_networks.training.faces import MARGIN, SIDE

_BLURRED, _COMPRESSED, _MIRRORED = 0.5, 0.3, 0.5
"""Shares of the faces."""


def plain_faces(crops: Tensor) -> Tensor:
    """Aligned faces [B, 3, 112, 112] out of crops with their margin [B, 3, SIDE, SIDE]."""
    return crops[..., MARGIN : MARGIN + ARCFACE_SIZE, MARGIN : MARGIN + ARCFACE_SIZE]


def worn_faces(crops: Tensor, rng: np.random.Generator) -> Tensor:
    """Aligned faces [B, 3, 112, 112] in [-1, 1], each augmented in its own way.

    Args:
        crops: [B, 3, SIDE, SIDE] in [-1, 1].
        rng: Decides everything.
    """
    faces = _in_other_light(_moved(crops, rng), rng)
    return torch.stack([_photographed(face, rng) for face in faces]).clamp(-1, 1)


def _moved(crops: Tensor, rng: np.random.Generator) -> Tensor:
    count = len(crops)
    scale, angle = np.exp(rng.normal(0, 0.08, count)), np.radians(rng.normal(0, 4, count))
    flip = np.where(rng.random(count) < _MIRRORED, -1.0, 1.0)
    reach = scale * ARCFACE_SIZE / SIDE
    linear = np.array([[np.cos(angle) * flip, -np.sin(angle)], [np.sin(angle) * flip, np.cos(angle)]]) * reach
    shift = rng.normal(0, 0.03, (count, 2, 1))
    theta = torch.from_numpy(np.concatenate([linear.transpose(2, 0, 1), shift], 2)).float()
    grid = F.affine_grid(theta, [count, 3, ARCFACE_SIZE, ARCFACE_SIZE], align_corners=False)
    return F.grid_sample(crops, grid, padding_mode="border", align_corners=False)


def _in_other_light(faces: Tensor, rng: np.random.Generator) -> Tensor:
    def each(values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).float()[..., None, None]

    count = len(faces)
    light = (faces.clamp(-1, 1) + 1) / 2
    light = light ** each(np.exp(rng.normal(0, 0.25, (count, 1)))) * each(rng.normal(1, 0.08, (count, 3)))
    grey = light.mean(1, keepdim=True)
    light = torch.lerp(light, grey.expand_as(light), each(rng.random((count, 1)) ** 3))
    middle, contrast = light.mean((1, 2, 3), keepdim=True), each(np.exp(rng.normal(0, 0.15, (count, 1))))
    light = middle + (light - middle) * contrast + each(rng.normal(0, 0.05, (count, 1)))
    return (light * 2 - 1).clamp(-1, 1)


def _photographed(face: Tensor, rng: np.random.Generator) -> Tensor:
    if rng.random() < _BLURRED:
        face = resize(resize(face, round(ARCFACE_SIZE / math.exp(rng.uniform(0, 1.2)))), ARCFACE_SIZE)
    noise = rng.normal(0, 0.1 * rng.random() ** 2, face.shape)
    face = (face + torch.from_numpy(noise).float()).clamp(-1, 1)
    return _compressed(face, int(rng.integers(25, 95))) if rng.random() < _COMPRESSED else face


def _compressed(face: Tensor, quality: int) -> Tensor:
    stream = io.BytesIO()
    levels = ((face + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(levels).save(stream, "jpeg", quality=quality)
    with Image.open(stream) as picture:
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 127.5 - 1
