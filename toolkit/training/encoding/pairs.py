"""Pictures whose codes are known, because the generator made both."""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from toolkit.interfaces import Generator
from toolkit.inversion import device_of
from toolkit.rendering.views import around
from toolkit.training.distribution import main_process_first
from toolkit.training.encoding.photos import CACHE_VARIABLE
from toolkit.training.encoding.settings import PairSettings
from toolkit.weights.tensors import read_tensors, write_tensors

CHUNK = 8
VERSION = 1


class Pairs(NamedTuple):
    """Pictures and what they were made from."""

    image: Tensor
    """[B, 3, S, S] in [-1, 1] (uint8 where they are kept)."""
    label: Tensor
    """[B, 25]."""
    ws: Tensor
    """[B, num_ws, w_dim]."""


@torch.no_grad()
def draw_codes(generator: Generator, settings: PairSettings, count: int, source: torch.Generator) -> Tensor:
    """Random codes [count, num_ws, w_dim] of the settings' space, on the generator's device."""
    latents, device = generator.spec.latents, device_of(generator)
    front = generator.spec.front_camera.to(device)
    styles = latents.num_ws if settings.space == "z+" else 1
    z = torch.randn(count * styles, latents.z_dim, generator=source).to(device)
    ws = generator.mapping(z, front.expand(len(z)), settings.truncation)
    if settings.space == "z+":
        index = torch.arange(styles, device=device)
        return ws.unflatten(0, (count, styles))[:, index, index]
    if settings.space == "w+" and settings.spread:
        noise = torch.randn(ws.shape, generator=source).to(device)
        ws = ws + settings.spread * ws[:, 0].std(0, correction=0) * noise
    return ws


@torch.no_grad()
def make_pairs(generator: Generator, settings: PairSettings, count: int, source: torch.Generator) -> Pairs:
    """Render random codes from random cameras; the same source gives the same pairs."""
    ws = draw_codes(generator, settings, count, source)
    turn, lift = torch.rand(2, count, generator=source) * 2 - 1
    cameras = around(generator.spec, turn * math.radians(settings.yaw), lift * math.radians(settings.pitch)).to(
        ws.device
    )
    images = []
    for start in range(0, count, CHUNK):
        some = ws[start : start + CHUNK]
        view = generator.render(generator.planes(some), some, cameras[start : start + CHUNK], settings.resolution)
        images.append(view.image.clamp(-1, 1))
    return Pairs(torch.cat(images).cpu(), cameras.label.cpu(), ws.cpu())


def kept_pairs(generator: Generator, settings: PairSettings, seed: int) -> Pairs:
    """The `settings.count` pairs of a seed, pictures as bytes: read from the user's cache, or made and kept there."""
    plan = {
        "version": VERSION,
        "seed": seed,
        "generator": generator.spec.fingerprint,
        **settings.model_dump(mode="json", exclude={"disturb"}),
    }
    key = hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:16]
    cache = Path(os.environ.get(CACHE_VARIABLE) or "~/.cache/toolkit").expanduser()
    file = cache / "pairs" / f"{generator.spec.name}-{settings.count}-{key}.safetensors"
    with main_process_first():
        if not file.is_file():
            made = make_pairs(generator, settings, settings.count, torch.Generator().manual_seed(seed))
            pixels = ((made.image + 1) * 127.5).round().byte()
            write_tensors(file, {"image": pixels, "label": made.label, "ws": made.ws}, {"plan": plan})
    tensors, _ = read_tensors(file)
    return Pairs(tensors["image"], tensors["label"], tensors["ws"])


def rows(pairs: Pairs, indices: Tensor) -> Pairs:
    """Some of the kept pairs, pictures in [-1, 1]."""
    return Pairs(pairs.image[indices].float() / 127.5 - 1, pairs.label[indices], pairs.ws[indices])
