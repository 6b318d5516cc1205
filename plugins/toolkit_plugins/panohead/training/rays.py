"""What procedural heads look like along chosen rays: made once per head, kept in shards, read whole.

Rendering whole images of thousands of heads would cost days on a CPU; rays chosen where the eye looks cost minutes.
Every head has single rays (for the field) and small antialiased patches on the ray grid (for super-resolution).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.children import begin_worker
from toolkit.data.shards import read_shards, write_shard
from toolkit.files import check_folder_place
from toolkit.interfaces import ProceduralHeads
from toolkit.registry import default_registry
from toolkit.rendering.rays import rays_through

_VERSION = 3
_FACE_PATCHES = 2 / 3
"""Share of the patches that look at a place in the face."""
_PROBE = 12
"""Side of the grid of rays that tells whether heads have changed."""
_ROUNDING = 0.5
"""Mean difference in bytes below which they have not."""
_FACING = 0.3
"""Cosine of the yaw above which a camera sees the face."""


@dataclass(frozen=True)
class RayPlan:
    """Which heads, and what of each."""

    dataset: str = "heads360"
    split: str = "train"
    seed: int = 0
    heads: int = 2000
    cameras: int = 12
    rays_per_camera: int = 300
    face_share: float = 0.45
    """Share of the rays of frontal cameras that fall into the face box."""
    patches: int = 1
    patch: int = 16
    """Side of a patch in rays."""
    grid: int = 64
    """Side of the ray grid that patches are cut from."""
    upsampling: int = 2
    """Image pixels per ray."""
    antialias: int = 2
    pitch_spread: float = 0.2
    """Standard deviation of the cameras' pitch in radians."""

    def as_json(self) -> dict[str, object]:
        """The plan in plain types, to recognise its shards by."""
        return {"version": _VERSION, **{key: value for key, value in vars(self).items() if key != "heads"}}


@dataclass(frozen=True)
class HeadRays:
    """The shards of a plan, joined: H heads, K cameras, R rays a camera, Q patches of side P (times `upsampling`)."""

    latents: Tensor
    """[H, z], RMS 1."""
    cameras: Tensor
    """[H, K, 25]."""
    places: Tensor
    """[H, K, R, 2] image coordinates 0..1."""
    colours: Tensor
    """[H, K, R, 3] uint8."""
    depths: Tensor
    """[H, K, R], 0 where nothing is hit."""
    patch_cameras: Tensor
    """[H, Q, 25]."""
    patch_corners: Tensor
    """[H, Q, 2] row and column of the first ray on the grid."""
    patch_images: Tensor
    """[H, Q, 4, uP, uP] uint8: colour on white, mask."""
    patch_depths: Tensor
    """[H, Q, P, P] along the rays themselves, 0 where nothing is hit."""
    face_rays: int
    """How many rays of a camera that faces the head fall into the face box: the first ones."""

    @cached_property
    def facing(self) -> np.ndarray:
        """Which cameras [H, K] see the face."""
        yaws = Camera(self.cameras.flatten(0, 1)).angles().yaw
        return (yaws.cos() > _FACING).reshape(self.cameras.shape[:2]).numpy()

    def __len__(self) -> int:
        """How many heads have rays on disk."""
        return len(self.latents)


def prepare_rays(plan: RayPlan, folder: Path, workers: int = 2, shard: int = 25) -> HeadRays:
    """Make the shards that are missing in `folder` and read all.

    Args:
        plan: What to make.
        folder: Where the shards stand; can be shared by runs, and grows when `plan.heads` grows.
        workers: Processes, one thread each.
        shard: Heads in one file.

    Raises:
        InputError: A file stands in the folder's way.
        OutputError: It cannot be written.
    """
    check_folder_place(folder)
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, plan.heads, shard)
    files = [folder / f"rays-{start:06d}.safetensors" for start in starts]
    looks = looks_of(default_registry().load("dataset", plan.dataset).procedural())

    def make(numbers: list[int]) -> None:
        work = [(plan, starts[number], shard, files[number]) for number in numbers]
        pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=begin_worker, initargs=(1,))
        try:
            list(pool.map(_make_shard, work))
        finally:
            pool.shutdown(cancel_futures=True)

    def fits(number: int, about: Mapping[str, Any]) -> bool:
        return about.get("plan") == plan.as_json() and look_alike(about.get("looks"), looks)

    joined = read_shards(files, plan.heads, fits, make)
    return HeadRays(**joined, face_rays=int(plan.face_share * plan.rays_per_camera))


def looks_of(heads: ProceduralHeads) -> list[int]:
    """What a few rays see of one head, in bytes: kept beside what is made of heads, it tells whether these changed."""
    camera = Camera.orbit(0.3)
    origin, directions = camera.rays(_PROBE)
    seen = heads.trace(heads.latent("train", 0, 0), origin.expand(directions.shape[1], 3), directions[0])
    return _bytes(seen.rgb).flatten().tolist()


def look_alike(first: object, second: list[int]) -> bool:
    """Whether two lists of `looks_of` are of the same heads; machines differ by a byte here and there."""
    if not isinstance(first, list) or len(first) != len(second):
        return False
    return float(np.abs(np.subtract(first, second)).mean()) < _ROUNDING


def _make_shard(work: tuple[RayPlan, int, int, Path]) -> None:
    plan, start, count, file = work
    heads: ProceduralHeads = default_registry().load("dataset", plan.dataset).procedural()
    made = [_look_at_head(heads, plan, index) for index in range(start, start + count)]
    write_shard(file, made, {"plan": plan.as_json(), "looks": looks_of(heads)})


def _look_at_head(heads: ProceduralHeads, plan: RayPlan, index: int) -> dict[str, Tensor]:
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([plan.seed, index, 7])))
    latent = heads.latent(plan.split, plan.seed, index)
    landmarks = heads.landmarks(latent)
    cameras = _cameras_around(plan, random)
    places = torch.stack([_places(camera, landmarks, plan, random) for camera in cameras])
    patch_cameras, corners = _patches(landmarks, plan, random)
    side = plan.patch * plan.upsampling * plan.antialias
    patch_places = _grid_places(corners, plan, plan.upsampling * plan.antialias)
    looks = [(camera, place) for camera, place in zip(cameras, places, strict=True)]
    looks += [(camera, place.reshape(-1, 2)) for camera, place in zip(patch_cameras, patch_places, strict=True)]
    central = _grid_places(corners, plan, 1)
    looks += [(camera, place.reshape(-1, 2)) for camera, place in zip(patch_cameras, central, strict=True)]
    rays = [rays_through(camera, place[None]) for camera, place in looks]
    origins = torch.cat([ray.origins.expand_as(ray.directions)[0] for ray in rays])
    directions = torch.cat([ray.directions[0] for ray in rays])
    seen = heads.trace(latent, origins, directions)
    depths = torch.where(seen.hit, seen.depth, 0)
    single = plan.cameras * plan.rays_per_camera
    fine = slice(single, single + plan.patches * side**2)
    patch = torch.cat([seen.rgb[fine], seen.hit[fine, None] * 2.0 - 1], 1)
    patch = patch.reshape(plan.patches, side, side, 4).permute(0, 3, 1, 2)
    return {
        "latents": latent,
        "cameras": torch.cat([camera.label for camera in cameras]),
        "places": places,
        "colours": _bytes(seen.rgb[:single]).reshape(*places.shape[:2], 3),
        "depths": depths[:single].reshape(places.shape[:2]),
        "patch_cameras": torch.cat([camera.label for camera in patch_cameras]),
        "patch_corners": corners,
        "patch_images": _bytes(torch.nn.functional.avg_pool2d(patch, plan.antialias)),
        "patch_depths": depths[fine.stop :].reshape(plan.patches, plan.patch, plan.patch),
    }


def _grid_places(corners: Tensor, plan: RayPlan, finer: int) -> Tensor:
    """Image coordinates [Q, S, S, 2] of the centres of the grid's cells in patches, every cell cut into `finer`^2."""
    side = plan.patch * finer
    steps = (torch.arange(side) + 0.5) / (plan.grid * finer)
    rows, columns = (corners[:, axis, None] / plan.grid + steps for axis in (0, 1))
    return torch.stack([columns[:, None, :].expand(-1, side, -1), rows[:, :, None].expand(-1, -1, side)], -1)


def _bytes(values: Tensor) -> Tensor:
    return (values * 127.5 + 127.5).round().clamp(0, 255).byte()


def _cameras_around(plan: RayPlan, random: np.random.Generator) -> list[Camera]:
    yaws = 2 * math.pi * (np.arange(plan.cameras) + random.random(plan.cameras)) / plan.cameras - math.pi
    return [Camera.orbit(float(yaw), _pitch(plan, random)) for yaw in yaws]


def _pitch(plan: RayPlan, random: np.random.Generator) -> float:
    return float(np.clip(random.normal(0, plan.pitch_spread), -0.6, 0.6))


def _places(camera: Camera, landmarks: Tensor, plan: RayPlan, random: np.random.Generator) -> Tensor:
    places = torch.from_numpy(random.random((plan.rays_per_camera, 2)).astype(np.float32))
    if math.cos(float(camera.angles().yaw)) > _FACING:
        points = camera.project(landmarks)[0]
        low, high = points.amin(0), points.amax(0)
        reach = 0.35 * (high - low).amax()
        inside = int(plan.face_share * plan.rays_per_camera)
        places[:inside] = low - reach + places[:inside] * (high - low + 2 * reach)
    return places.clamp(0, 1)


def _patches(landmarks: Tensor, plan: RayPlan, random: np.random.Generator) -> tuple[list[Camera], Tensor]:
    cameras, corners = [], []
    for _ in range(plan.patches):
        facing = random.random() < _FACE_PATCHES
        yaw = float(random.uniform(-1.2, 1.2) if facing else random.uniform(-math.pi, math.pi))
        camera = Camera.orbit(yaw, _pitch(plan, random))
        place = random.uniform(0.15, 0.85, 2)
        if facing:
            points = camera.project(landmarks)[0].numpy()
            place = points[random.integers(len(points))] + random.normal(0, 0.04, 2)
        corner = np.round(place[::-1] * plan.grid - plan.patch / 2)
        corners.append(torch.from_numpy(np.clip(corner, 0, plan.grid - plan.patch)).long())
        cameras.append(camera)
    return cameras, torch.stack(corners)
