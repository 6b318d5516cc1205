"""The two domains: a clean head follows from its latent alone; a wild one has more details, and photo-like pictures."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from toolkit.errors import InputError
from toolkit_plugins.heads360.details import draw_details
from toolkit_plugins.heads360.from_latent import person_of
from toolkit_plugins.heads360.head import Head
from toolkit_plugins.heads360.identity import latent_of, stream
from toolkit_plugins.heads360.rendering import Picture

DOMAINS = ("clean", "wild")


def make_head(split: str, seed: int, index: int, domain: str = "clean") -> Head:
    """The head of an identity.

    Raises:
        InputError: An unknown split or domain, or a negative number.
    """
    if domain not in DOMAINS:
        raise InputError(f"domain must be one of {', '.join(DOMAINS)}, got {domain!r}")
    person = person_of(latent_of(split, seed, index))
    return Head(person) if domain == "clean" else Head(person, draw_details(split, seed, index))


def photographed(picture: Picture, split: str, seed: int, index: int, view: str) -> Picture:
    """A picture as a camera would keep it: blur, noise, white balance, JPEG; mask, depth and labels stay exact."""
    number = int.from_bytes(view.encode(), "little") % (1 << 31)
    rng = stream(f"people/camera/{split}", seed, index, number)
    pixels = (picture.image[0].permute(1, 2, 0).numpy() + 1) / 2
    side = pixels.shape[0]
    blur = float(rng.gamma(1.2, 0.35)) * side / 256
    if blur > 0.2:
        pixels = ndimage.gaussian_filter(pixels, (blur, blur, 0))
    balance = np.exp(rng.normal(0, 0.04, 3))
    pixels = pixels * (balance / balance.max())
    level = 0.025 * float(rng.random()) ** 2
    grain = rng.normal(0, 1, pixels.shape) * level * np.sqrt(0.2 + pixels)
    pixels = np.clip(pixels + grain, 0, 1)
    if rng.random() < 0.7:
        buffer = io.BytesIO()
        whole = Image.fromarray((pixels * 255 + 0.5).astype(np.uint8))
        whole.save(buffer, "JPEG", quality=int(rng.integers(45, 96)))
        pixels = np.asarray(Image.open(buffer), np.float32) / 255
    image = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None] * 2 - 1
    white = torch.ones_like(image)
    return picture._replace(image=white + picture.mask * (image - white))
