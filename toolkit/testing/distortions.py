"""Eight named distortions of a picture, each with a severity from 0 (none) to 1 (hardly recognisable).

Pictures are [B, 3, S, S] in [-1, 1], severities [B]. Random numbers come from a seed and do not depend on the severity:
the same seed at another severity is the same distortion, stronger or weaker.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from toolkit.devices import sent
from toolkit.errors import InputError
from toolkit.registry import unknown_name


def distort(name: str, image: Tensor, severity: float | Tensor, seed: int = 0) -> Tensor:
    """Spoil pictures.

    Args:
        name: One of `DISTORTIONS`.
        image: [B, 3, S, S] in [-1, 1].
        severity: 0..1, a number or [B].
        seed: Decides directions, places and noise.

    Returns:
        Pictures of the same shape in [-1, 1].

    Raises:
        InputError: Unknown name.
    """
    if name not in DISTORTIONS:
        raise InputError(unknown_name("distortion", name, DISTORTIONS))
    amounts = sent(torch.as_tensor(severity, dtype=image.dtype), image.device).expand(len(image))
    source = torch.Generator().manual_seed(seed)
    return DISTORTIONS[name](image, amounts, source).clamp(-1, 1)


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _blur(image: Tensor, severity: Tensor, source: torch.Generator) -> Tensor:
    """Gaussian blur of up to 5 % of the side."""
    side = image.shape[-1]
    reach = min(math.ceil(0.12 * side), side - 1)
    offsets = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
    sigma = (0.05 * side * severity).clamp_min(1e-3)
    window = torch.exp(-0.5 * (offsets / sigma[:, None]).square())
    window = (window / window.sum(1, keepdim=True)).repeat_interleave(3, 0)
    flat = F.pad(image, (reach,) * 4, mode="reflect").flatten(0, 1)[None]
    flat = F.conv2d(flat, window[:, None, :, None], groups=len(window))
    return F.conv2d(flat, window[:, None, None, :], groups=len(window))[0].unflatten(0, image.shape[:2])


def _noise(image: Tensor, severity: Tensor, source: torch.Generator) -> Tensor:
    """Independent normal noise of a deviation up to 0.5."""
    return image + 0.5 * _each(severity) * torch.randn(image.shape, generator=source).to(image)


def _jpeg(image: Tensor, severity: Tensor, source: torch.Generator) -> Tensor:
    """JPEG from quality 95 down to 3."""
    levels = ((image.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    found = []
    for picture, amount in zip(levels, severity.tolist(), strict=True):
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "jpeg", quality=round(3 + 92 * (1 - amount) ** 2))
        found.append(np.asarray(Image.open(stream)))
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).to(image) / 127.5 - 1


def _colour(image: Tensor, severity: Tensor, source: torch.Generator) -> Tensor:
    """Channels fall by up to 0.9, each by a share of its own."""
    shares = torch.rand(len(image), 3, generator=source)
    shares = (shares / shares.amax(1, keepdim=True)).to(image)
    return image - 0.9 * _each(severity) * shares[:, :, None, None]


def _contrast(image: Tensor, severity: Tensor, source: torch.Generator) -> Tensor:
    """Everything moves towards the picture's mean, up to nine tenths of the way."""
    return torch.lerp(image, image.mean((1, 2, 3), keepdim=True).expand_as(image), 0.9 * _each(severity))


def _shift(image: Tensor, severity: Tensor, source: torch.Generator) -> Tensor:
    """A shift by up to 15 % of the side in some direction."""
    angle = 2 * math.pi * torch.rand(len(image), generator=source).to(image)
    offset = 0.3 * severity[:, None] * torch.stack([angle.cos(), angle.sin()], 1)
    return _moved(image, offset[:, None, None].expand(-1, *image.shape[-2:], -1))


def _warp(image: Tensor, severity: Tensor, source: torch.Generator) -> Tensor:
    """A smooth field of shifts, each of up to some 8 % of the side."""
    coarse = torch.randn(len(image), 2, 5, 5, generator=source).to(image)
    field = F.interpolate(coarse, size=image.shape[-2:], mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    return _moved(image, 0.12 * _each(severity) * field)


def _hole(image: Tensor, severity: Tensor, source: torch.Generator) -> Tensor:
    """A grey square with sides of up to 60 % of the picture's, near the middle."""
    centre = (0.2 * (torch.rand(len(image), 2, generator=source) - 0.5)).to(image)
    y, x = _grid(image).unbind(-1)
    away = torch.maximum((x - 2 * centre[:, 0, None, None]).abs(), (y - 2 * centre[:, 1, None, None]).abs())
    edge = 1 / image.shape[-1]
    cover = ((0.6 * severity[:, None, None] - away) / edge + 0.5).clamp(0, 1) * (severity > 0)[:, None, None]
    return torch.lerp(image, torch.zeros_like(image), cover[:, None])


def _grid(image: Tensor) -> Tensor:
    """Coordinates [S, S, 2] of the pixels, x and y from -1 to 1, in grid_sample's sense."""
    steps = (torch.arange(image.shape[-1], dtype=image.dtype, device=image.device) + 0.5) / image.shape[-1] * 2 - 1
    return torch.stack([steps[None, :].expand(len(steps), -1), steps[:, None].expand(-1, len(steps))], -1)


def _moved(image: Tensor, offset: Tensor) -> Tensor:
    places = _grid(image) + offset
    return F.grid_sample(image, places, padding_mode="border", align_corners=False)


DISTORTIONS: dict[str, Callable[[Tensor, Tensor, torch.Generator], Tensor]] = {
    "blur": _blur,
    "noise": _noise,
    "jpeg": _jpeg,
    "colour": _colour,
    "contrast": _contrast,
    "shift": _shift,
    "warp": _warp,
    "hole": _hole,
}
"""By name: what each does with pictures, severities [B] and a torch.Generator."""
