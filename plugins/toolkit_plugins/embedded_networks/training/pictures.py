"""Small pictures of procedural heads: made once per pair of heads, kept in shards, read whole.

Heads come in pairs that share cameras, so that a pair is "another head in the same view"; every second pair are
relatives, who share half of their latent's numbers, so that hair and colours alone do not tell them apart. Each head is
seen clean and in the dress and light of other subjects.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.data.shards import read_shards, write_shard
from toolkit.errors import PluginError
from toolkit.faces.projection import crop_places
from toolkit.interfaces import DressedHeads
from toolkit.registry import default_registry
from toolkit.rendering.rays import rays_through

_VERSION = 1
SIDE = 64
"""Side of every picture in pixels."""
_SHARD = 20
_OUTFITS = 1_000_003
"""Seed of the dress: other subjects than any data set of a small seed holds."""


@dataclass(frozen=True)
class PicturePlan:
    """Which heads, and how many pictures of each."""

    dataset: str = "heads360"
    split: str = "train"
    seed: int = 0
    heads: int = 500
    """An even number."""
    dresses: int = 2
    """The first is clean."""
    faces: int = 2
    """Aligned faces in each dress."""
    yaw: float = 75.0
    """Largest yaw of a face in degrees."""
    pitch: float = 20.0
    """Largest pitch in degrees."""

    def as_json(self) -> dict[str, object]:
        """The plan in plain types, to recognise its shards by."""
        return {"version": _VERSION, **{key: value for key, value in vars(self).items() if key != "heads"}}


@dataclass(frozen=True)
class Pictures:
    """H heads, D dresses, F aligned faces, and one view (whole or zoomed, from anywhere) in each dress."""

    latents: Tensor
    """[H, z], RMS 1."""
    faces: Tensor
    """[H, D, F, 3, S, S] uint8."""
    views: Tensor
    """[H, D, 3, S, S] uint8."""
    face_cameras: Tensor
    """[H, D, F, 25]."""
    view_cameras: Tensor
    """[H, D, 25]."""
    view_depths: Tensor
    """[H, D, 1, S, S] float16, 0 where nothing is hit."""

    def __len__(self) -> int:
        """How many heads the pictures show."""
        return len(self.latents)


def as_images(levels: Tensor) -> Tensor:
    """Bytes to images in [-1, 1]."""
    return levels.float() / 127.5 - 1


def open_heads(dataset: str) -> DressedHeads:
    """The procedural heads of a data set.

    Raises:
        PluginError: There is no such data set, or its heads cannot be dressed.
    """
    heads = default_registry().load("dataset", dataset).procedural()
    if not isinstance(heads, DressedHeads):
        raise PluginError(f"data set {dataset!r} offers no heads in several dresses (trace_dressed)")
    return heads


def face_points_of(heads: DressedHeads) -> tuple[tuple[float, float, float], ...]:
    """The five points of the average face in world units."""
    return tuple((float(x), float(y), float(z)) for x, y, z in heads.landmarks(torch.zeros(heads.latent_dim)))


def prepare_pictures(plan: PicturePlan, folder: Path, note: Callable[[str], None] | None = None) -> Pictures:
    """Read the plan's pictures from `folder`, making those that are missing.

    Raises:
        OutputError: The folder cannot be written.
    """
    starts = range(0, plan.heads, _SHARD)
    files = [folder / f"{plan.split}-{plan.seed}-{start:06d}.safetensors" for start in starts]

    def make(numbers: list[int]) -> None:
        source = open_heads(plan.dataset)
        for done, number in enumerate(numbers, 1):
            made = [_look_at(source, plan, index) for index in heads_of(number)]
            write_shard(files[number], made, {"plan": plan.as_json(), "heads": len(made)})
            if note is not None:
                note(f"pictures of heads: {done} of {len(numbers)} shards made")

    def heads_of(number: int) -> range:
        return range(starts[number], min(starts[number] + _SHARD, plan.heads))

    def fits(number: int, about: Mapping[str, Any]) -> bool:
        return about.get("plan") == plan.as_json() and int(about.get("heads", _SHARD)) >= len(heads_of(number))

    joined = read_shards(files, plan.heads, fits, make)
    return Pictures(**joined)


def pair_latents(heads: DressedHeads, plan: PicturePlan, index: int) -> Tensor:
    """The latent [z] of a head: its own, or half a relative's where the pair are relatives."""
    own = heads.latent(plan.split, plan.seed, index)
    if index % 4 != 3:
        return own
    shared = np.zeros(heads.latent_dim, dtype=bool)
    shared[_rng(plan, index, 0).permutation(heads.latent_dim)[: heads.latent_dim // 2]] = True
    mixed = torch.where(torch.from_numpy(shared), heads.latent(plan.split, plan.seed, index - 1), own)
    return mixed / mixed.square().mean().sqrt()


def _rng(plan: PicturePlan, index: int, purpose: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([plan.seed, index, 23, purpose])))


def _look_at(heads: DressedHeads, plan: PicturePlan, index: int) -> dict[str, Tensor]:
    latent, points = pair_latents(heads, plan, index), face_points_of(heads)
    own, shared = _rng(plan, index, 1), _rng(replace(plan, seed=plan.seed + 1), index // 2, 2)
    found: dict[str, list[Tensor]] = {"faces": [], "views": [], "face_cameras": [], "view_cameras": [],
                                      "view_depths": []}  # fmt: skip
    for dress in range(plan.dresses):
        cameras = [_camera(own, plan.yaw, plan.pitch) for _ in range(plan.faces)]
        view, extent = _camera(shared, 180.0, plan.pitch), (1.0, 0.6)[dress % 2] * shared.uniform(0.9, 1.0)
        places = [_jittered(crop_places(camera, points, SIDE)[0], own) for camera in cameras]
        places.append(_window(extent, shared))
        rays = [rays_through(camera, place.reshape(1, -1, 2))
                for camera, place in zip([*cameras, view], places, strict=True)]  # fmt: skip
        origins = torch.cat([ray.origins.expand_as(ray.directions)[0] for ray in rays])
        directions = torch.cat([ray.directions[0] for ray in rays])
        if dress == 0:
            seen = heads.trace(latent, origins, directions)
        else:
            outfit = (plan.split, plan.seed + _OUTFITS, index * plan.dresses + dress)
            seen = heads.trace_dressed(latent, outfit, origins, directions)
        levels = (seen.rgb * 127.5 + 127.5).round().clamp(0, 255).byte()
        pictures = levels.reshape(len(places), SIDE, SIDE, 3).permute(0, 3, 1, 2)
        found["faces"].append(pictures[:-1])
        found["views"].append(pictures[-1])
        found["face_cameras"].append(torch.cat([camera.label for camera in cameras]))
        found["view_cameras"].append(view.label[0])
        found["view_depths"].append(seen.depth[-SIDE * SIDE :].reshape(1, SIDE, SIDE).half())
    return {"latents": latent, **{name: torch.stack(parts) for name, parts in found.items()}}


def _camera(rng: np.random.Generator, yaw: float, pitch: float) -> Camera:
    return Camera.orbit(math.radians(rng.uniform(-yaw, yaw)), math.radians(rng.uniform(-pitch, pitch)))


def _jittered(places: Tensor, rng: np.random.Generator) -> Tensor:
    """Moved and scaled by a few hundredths: no camera is exact."""
    scale, shift = rng.uniform(0.95, 1.05), torch.from_numpy(rng.uniform(-0.015, 0.015, 2)).float()
    centre = places.mean((0, 1))
    return (places - centre) * scale + centre + shift


def _window(extent: float, rng: np.random.Generator) -> Tensor:
    """A square [S, S, 2] of that extent inside the picture, more often near its middle."""
    corner = np.clip(rng.normal(0.5, 0.12, 2) - extent / 2, 0, 1 - extent)
    steps = (torch.arange(SIDE) + 0.5) / SIDE * extent
    x, y = steps[None, :] + corner[0], steps[:, None] + corner[1]
    return torch.stack([x.expand(SIDE, SIDE), y.expand(SIDE, SIDE)], -1).float()
