"""Pictures whose codes are known, because the generator made both."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from toolkit.data.folder import ImageFolder
from toolkit.data.sources import open_source
from toolkit.encoders.training.kept import kept_tensors
from toolkit.encoders.training.photos import PhotoSet
from toolkit.encoders.training.settings import PairSettings
from toolkit.errors import InputError
from toolkit.interfaces import Generator, KnownLatents
from toolkit.latents import latent_statistics, map_styles
from toolkit.rendering.views import around
from toolkit.training.rng import RowRng

CHUNK = 8
VERSIONS = {"z": 1, "z+": 1, "w+": 2}
"""Of how pairs of each space are made."""


class Pairs(NamedTuple):
    """Pictures and what they were made from."""

    image: Tensor
    """[B, 3, S, S] in [-1, 1] (uint8 where they are kept)."""
    label: Tensor
    """[B, 25]."""
    ws: Tensor
    """[B, num_ws, w_dim]."""


@torch.no_grad()
def draw_codes(generator: Generator, settings: PairSettings, rng: RowRng) -> Tensor:
    """Random codes [rows, num_ws, w_dim] of the settings' space, on the generator's device."""
    latents, device = generator.spec.latents, generator.device
    z = rng.normal(latents.num_ws if settings.space == "z+" else 1, latents.z_dim).to(device)
    ws = map_styles(generator, z, settings.truncation)
    if settings.space == "w+" and settings.spread:
        deviation = latent_statistics(generator).spread / math.sqrt(latents.w_dim)
        ws = ws + settings.spread * deviation * rng.normal(*ws.shape[1:]).to(device)
    return ws


def make_pairs(generator: Generator, settings: PairSettings, rng: RowRng) -> Pairs:
    """Render random codes from random cameras; the same rng gives the same pairs."""
    return _made_pairs(generator, settings, rng, lambda image: image)


@torch.no_grad()
def _made_pairs(generator: Generator, settings: PairSettings, rng: RowRng, keep: Callable[[Tensor], Tensor]) -> Pairs:
    """Pairs whose pictures are kept as `keep` makes them, few at a time."""
    ws = draw_codes(generator, settings, rng)
    turn, lift = rng.uniform() * 2 - 1, rng.uniform() * 2 - 1
    cameras = around(generator.spec, turn * math.radians(settings.yaw), lift * math.radians(settings.pitch)).to(
        ws.device
    )
    images = []
    for start in range(0, len(ws), CHUNK):
        some = ws[start : start + CHUNK]
        view = generator.render(generator.planes(some), some, cameras[start : start + CHUNK], settings.resolution)
        images.append(keep(view.image.clamp(-1, 1)).cpu())
    return Pairs(torch.cat(images), cameras.label.cpu(), ws.cpu())


def kept_pairs(generator: Generator, settings: PairSettings, seed: int) -> Pairs:
    """The `settings.count` pairs of a seed, pictures as bytes: read from the user's cache, or made and kept there."""
    plan = {
        "version": VERSIONS[settings.space],
        "seed": seed,
        "generator": generator.spec.fingerprint,
        **settings.model_dump(mode="json", exclude={"augment", "heads"}),
    }

    def make() -> dict[str, Tensor]:
        rng = RowRng([torch.Generator().manual_seed(seed)], settings.count)
        return _made_pairs(generator, settings, rng, _as_bytes)._asdict()

    tensors = kept_tensors(generator, str(settings.count), plan, make)
    return Pairs(tensors["image"], tensors["label"], tensors["ws"])


def open_known_heads(generator: Generator, source: str) -> tuple[ImageFolder, Tensor]:
    """Open pictures of procedural heads; they, and their latents [N, z_dim].

    Raises:
        InputError: There is no such data set, or it does not tell its heads' latents.
    """
    heads = open_source(source)
    if not isinstance(heads, KnownLatents):
        raise InputError(
            f"pairs.heads: {source} does not tell its heads' latents; name a reader that does, heads360:PATH"
        )
    latents, wanted = heads.latents(), generator.spec.latents.z_dim
    if latents.shape[1] != wanted:
        raise InputError(
            f"pairs.heads: latents of {source} have {latents.shape[1]} numbers, the generator takes {wanted}"
        )
    return heads, latents


@torch.no_grad()
def pairs_of_heads(generator: Generator, heads: ImageFolder, latents: Tensor) -> Pairs:
    """Pictures of procedural heads, as bytes, with the codes of their latents; on white where they have masks.

    Args:
        generator: Makes the codes.
        heads: N pictures.
        latents: [N, z_dim], of `open_known_heads`.
    """
    codes = map_styles(generator, latents[:, None].to(generator.device), 1.0).cpu()
    photos = PhotoSet([heads], generator.spec.image_size)
    seen, sightings = photos.draw(range(len(photos)))
    return Pairs(seen.image, seen.label, codes[sightings.places])


def joined(first: Pairs, second: Pairs) -> Pairs:
    """The rows of both, the first ones first."""
    return Pairs(*(torch.cat(parts) for parts in zip(first, second, strict=True)))


def _as_bytes(image: Tensor) -> Tensor:
    return ((image + 1) * 127.5).round().byte()


def rows(pairs: Pairs, indices: Tensor) -> Pairs:
    """Some of the kept pairs, pictures in [-1, 1]."""
    return Pairs(pairs.image[indices].float() / 127.5 - 1, pairs.label[indices], pairs.ws[indices])
