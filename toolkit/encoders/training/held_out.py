"""Held-out photos: how well their input views are reconstructed, and what the heads look like from other sides."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.encoders.networks.style_encoder import fit_image
from toolkit.encoders.training.photos import Photos, PhotoSet
from toolkit.interfaces import Encoder, Generator, Perceptual
from toolkit.rendering.pixels import to_pixels
from toolkit.rendering.views import around

SHEET_ROWS = 4
SHEET_YAWS = (-60, 60, 180)
"""Degrees, beside the input and its reconstruction."""
BATCH = 4
BINS = 24
"""Of 15 degrees of yaw: pictures are taken from all of them in turn."""


def score_names(perceptual: Perceptual) -> tuple[str, str, str]:
    """Names of the numbers that `HeldOut.score` returns."""
    return "psnr", "l2", perceptual.name.replace("-", "_")


class HeldOut:
    """Some photos that are never trained on."""

    def __init__(
        self, photos: PhotoSet, generator: Generator, perceptual: Perceptual, device: torch.device, most: int = 24
    ) -> None:
        """Read `most` pictures, spread over all yaws; they stay in memory in 8 bits.

        Raises:
            InputError: None of them can be read.
        """
        self.generator, self.perceptual, self.device = generator, perceptual, device
        chosen = spread_over_yaws(photos, most)
        self.photos, self.sightings = photos.draw(chosen)

    @torch.no_grad()
    def score(self, encoder: Encoder) -> dict[str, float]:
        """Means over pictures at the input view: PSNR in dB and L2 on [-1, 1], and the perceptual distance."""
        errors, distances = [], []
        for start in range(0, len(self.photos.label), BATCH):
            image, camera = self._some(slice(start, start + BATCH))
            code = encoder.encode(image, camera, self.generator)
            seen = self.generator.render(code.planes, code.ws, camera).image.clamp(-1, 1)
            target = fit_image(image, seen.shape[-1])
            errors.append((seen - target).square().mean((1, 2, 3)))
            distance = self.perceptual.distance(self.perceptual.embed(seen), self.perceptual.embed(target))
            distances.append(float(distance) * len(image))
        error = torch.cat(errors)
        psnr = float((10 * torch.log10(4 / error)).mean())
        return dict(
            zip(score_names(self.perceptual), (psnr, float(error.mean()), sum(distances) / len(error)), strict=True)
        )

    @torch.no_grad()
    def sheet(self, encoder: Encoder) -> np.ndarray:
        """A picture [H, W, 3] uint8; a row per photo: input, reconstruction, both sides, back."""
        lines = []
        turned = around(self.generator.spec, torch.tensor([math.radians(yaw) for yaw in SHEET_YAWS])).to(self.device)
        for index in range(min(SHEET_ROWS, len(self.photos.image))):
            image, camera = self._some(slice(index, index + 1))
            code = encoder.encode(image, camera, self.generator)
            cameras = Camera(torch.cat([camera.label, turned.label]))
            count = len(cameras)
            planes, ws = code.planes.expand(count, *code.planes.shape[1:]), code.ws.expand(count, -1, -1)
            views = self.generator.render(planes, ws, cameras).image
            lines.append(torch.cat([fit_image(image, views.shape[-1]), views]))
        pixels = [np.concatenate(list(to_pixels(line)), axis=1) for line in lines]
        return np.concatenate(pixels, axis=0)

    def _some(self, rows: slice) -> tuple[Tensor, Camera]:
        photos = Photos(self.photos.image[rows].to(self.device), self.photos.label[rows].to(self.device)).as_numbers()
        return photos.image, Camera(photos.label)


def spread_over_yaws(photos: PhotoSet, most: int) -> list[int]:
    """Numbers of at most `most` pictures: one of each bin of yaws, then a second one of each, and so on.

    Within a bin, and in the result, the first picture of every subject comes before the second one of any.
    """
    order = _by_view(photos.subjects)
    yaws = Camera(photos.labels).angles().yaw.tolist()
    found: dict[int, int] = {}
    ranks = {}
    for place, index in enumerate(order):
        bin_ = math.floor((yaws[index] + math.pi) / (2 * math.pi) * BINS)
        ranks[index] = (found.setdefault(bin_, 0), place)
        found[bin_] += 1
    chosen = set(sorted(order, key=lambda index: ranks[index])[:most])
    return [index for index in order if index in chosen]


def _by_view(subjects: Sequence[str]) -> list[int]:
    """Numbers of pictures: the first of every subject, the second of every subject, ..."""
    seen: dict[str, int] = {}
    order = []
    for index, subject in enumerate(subjects):
        seen[subject] = seen.get(subject, 0) + 1
        order.append((seen[subject], index))
    return [index for _, index in sorted(order)]
