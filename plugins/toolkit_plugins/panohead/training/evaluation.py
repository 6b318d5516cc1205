"""Held-out procedural heads, seen beside what the generator makes of their latents."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.interfaces import ProceduralHeads
from toolkit_plugins.panohead.generator import PanoHead
from toolkit_plugins.panohead.training.kept import kept_tensors

YAWS = (0, 40, 90, 180, 270)
_VERSION = 2


class HeldOut:
    """Truth images of the first heads of the validation split, made once and kept beside the rays."""

    def __init__(self, heads: ProceduralHeads, count: int, size: int, folder: Path) -> None:
        """Read the truth from `folder`, or make it."""
        file, about = folder / f"held-out-{count}-{size}.safetensors", {"version": _VERSION, "yaws": list(YAWS)}
        tensors = kept_tensors(file, heads, about, lambda: _truth(heads, count, size))
        self.latents: Tensor = tensors["latents"]
        """[H, z], unit RMS."""
        self.images: Tensor = tensors["images"]
        """[H, V, 3, S, S] in [-1, 1], on white."""
        self.masks: Tensor = tensors["masks"]
        """[H, V, 1, S, S] in [0, 1]."""

    @torch.no_grad()
    def rendered(self, generator: PanoHead, codes: Tensor | None = None) -> Tensor:
        """The generator's views [H, V, 3, S, S] from the same latents (or from codes [H, w_dim]) and cameras."""
        device = next(generator.parameters()).device
        views = []
        for row, latent in enumerate(self.latents):
            if codes is None:
                ws = generator.mapping(latent[None].to(device), Camera.orbit())
            else:
                ws = codes[row].to(device).expand(1, generator.num_ws, -1)
            planes = generator.planes(ws)
            views.append(torch.cat([generator.render(planes, ws, camera).image for camera in cameras()]))
        return torch.stack(views).cpu()

    def score(self, generator: PanoHead, codes: Tensor | None = None) -> dict[str, float]:
        """PSNR in dB over images in [-1, 1]: mean over images of the whole image, and of the head's mask alone."""
        error = (self.rendered(generator, codes).clamp(-1, 1) - self.images).square()
        whole = error.mean((2, 3, 4))
        head = (error * self.masks).sum((2, 3, 4)) / (3 * self.masks.sum((2, 3, 4)))
        return {"psnr": _psnr(whole), "psnr_head": _psnr(head)}


def score_names(by_traits: bool) -> list[str]:
    """What the training's evaluations tell: `HeldOut.score` of heads' own latents, and of their traits."""
    own = ["psnr", "psnr_head"]
    return own + [f"{name}_by_traits" for name in own if by_traits]


def sheet_of(truth: HeldOut, generator: PanoHead, codes: Tensor | None = None, heads: int = 6) -> np.ndarray:
    """A picture [H, W, 3] uint8: of every head truth above, generator below; even numbers in two columns."""
    made = truth.rendered(generator, codes)[:heads].clamp(-1, 1)
    rows = []
    for real, fake in zip(truth.images[:heads], made, strict=True):
        rows.append(torch.cat([torch.cat(list(views), dim=2) for views in (real, fake)], dim=1))
    half = len(rows) // 2
    columns = [rows] if len(rows) % 2 else [rows[:half], rows[half:]]
    picture = torch.cat([torch.cat(column, dim=1) for column in columns], dim=2)
    return ((picture + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


def cameras() -> list[Camera]:
    """The cameras of `YAWS`, pitch 0."""
    return [Camera.orbit(math.radians(yaw)) for yaw in YAWS]


def _psnr(error: Tensor) -> float:
    return float((10 * torch.log10(4 / error)).mean())


def _truth(heads: ProceduralHeads, count: int, size: int) -> dict[str, Tensor]:
    latents = [heads.latent("val", 0, index) for index in range(count)]
    images, masks = [], []
    for latent in latents:
        views = [view(heads, latent, camera, size) for camera in cameras()]
        images.append(torch.stack([view[:3] for view in views]))
        masks.append(torch.stack([(view[3:] + 1) / 2 for view in views]))
    return {"latents": torch.stack(latents), "images": torch.stack(images), "masks": torch.stack(masks)}


def view(heads: ProceduralHeads, latent: Tensor, camera: Camera, size: int, antialias: int = 2) -> Tensor:
    """One antialiased view [4, size, size] of a head: colour on white, and its mask, both in [-1, 1]."""
    origin, directions = camera.rays(size * antialias)
    seen = heads.trace(latent, origin.expand(directions.shape[1], 3), directions[0])
    picture = torch.cat([seen.rgb, seen.hit[:, None] * 2.0 - 1], 1).reshape(size * antialias, size * antialias, 4)
    return torch.nn.functional.avg_pool2d(picture.permute(2, 0, 1), antialias)
