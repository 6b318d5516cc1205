"""Aligned faces of procedural people with dlib's descriptors: made once per person, kept in shards."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.data.kept import pictures_version
from toolkit.data.transforms import resize
from toolkit.errors import PluginError
from toolkit.faces.projection import crop_places
from toolkit.faces.template import ARCFACE_SIZE, ARCFACE_TEMPLATE
from toolkit.files import check_folder_place
from toolkit.interfaces import DressedHeads
from toolkit.metrics.identity import as_pixels
from toolkit.registry import default_registry
from toolkit.rendering.rays import rays_through
from toolkit.tensors import read_metadata, read_tensors, write_tensors
from toolkit.testing.distortions import distort
from toolkit_plugins.photo_networks.recogniser import Box, Recogniser, open_recogniser

_VERSION = 1
MARGIN = 16
"""Pixels around the aligned crop, for shifts, rotations and scales in training."""
SIDE = ARCFACE_SIZE + 2 * MARGIN
_TEACHER_SIDE = 3 * SIDE
_SUPERSAMPLED = 2
_SHARD = 5
_WARPS = (0.15, 0.5)
"""Severities of warps."""


@dataclass(frozen=True)
class FacePlan:
    """Which people, and how many pictures of each."""

    dataset: str
    split: str
    seed: int
    people: int
    views: int
    yaw: float
    """Largest yaw in degrees."""
    pitch: float
    """Largest pitch in degrees."""
    warps: int = 0
    """Smoothly warped copies of each view: to the recogniser they are other people, and cost no rendering."""

    def as_json(self) -> dict[str, object]:
        """The plan in plain types, to recognise its shards by."""
        pictures = pictures_version(default_registry().load("dataset", self.dataset))
        plan = {key: value for key, value in vars(self).items() if key != "people"}
        return {"version": _VERSION, "pictures": pictures, **plan}


@dataclass(frozen=True)
class Faces:
    """P people, V pictures each (views and their warped copies), in the light and dress of the wild domain."""

    crops: Tensor
    """[P, V, 3, SIDE, SIDE] uint8: the identity networks' frame and a margin around it."""
    descriptors: Tensor
    """[P, V, 128]: what dlib's recogniser says."""
    found: Tensor
    """[P, V] bool: whether dlib's detector found the view's face (else it is where the template has it)."""

    def __len__(self) -> int:
        """How many people have crops in the set."""
        return len(self.crops)


def open_people(dataset: str) -> DressedHeads:
    """The procedural people of a data set.

    Raises:
        PluginError: There is no such data set, or its heads cannot be dressed.
    """
    people = default_registry().load("dataset", dataset).procedural()
    if not isinstance(people, DressedHeads):
        raise PluginError(f"data set {dataset!r} offers no heads in several dresses (trace_dressed)")
    return people


def prepare_faces(plan: FacePlan, folder: Path, note: Callable[[str], None] | None = None) -> Faces:
    """Read the plan's faces from `folder`, making those that are missing.

    Raises:
        MissingDependencyError: Faces are missing, and dlib is not installed.
        OutputError: The folder cannot be written.
    """
    starts = range(0, plan.people, _SHARD)
    files = [folder / f"{plan.split}-{plan.seed}-{start:06d}.safetensors" for start in starts]
    shards = [(file, range(start, min(start + _SHARD, plan.people))) for start, file in zip(starts, files, strict=True)]
    missing = [(file, people) for file, people in shards if not _fits(file, plan, len(people))]
    if missing:
        check_folder_place(folder)
        people, recogniser = open_people(plan.dataset), open_recogniser()
        points = people.landmarks(torch.zeros(people.latent_dim))
        for number, (file, indices) in enumerate(missing, 1):
            made = [_look_at(people, recogniser, points, plan, index) for index in indices]
            tensors = {key: torch.stack([person[key] for person in made]) for key in made[0]}
            write_tensors(file, tensors, {"plan": plan.as_json(), "people": len(made)})
            if note is not None:
                note(f"faces of people: {number} of {len(missing)} shards made")
    parts = [read_tensors(file)[0] for file in files]
    joined = {key: torch.cat([part[key] for part in parts])[: plan.people] for key in parts[0]}
    return Faces(**joined)


def _fits(file: Path, plan: FacePlan, people: int) -> bool:
    if not file.is_file():
        return False
    about = read_metadata(file)
    return about.get("plan") == plan.as_json() and int(about.get("people", 0)) >= people


def _look_at(
    people: DressedHeads, recogniser: Recogniser, points: Tensor, plan: FacePlan, index: int
) -> dict[str, Tensor]:
    rng = np.random.default_rng([plan.seed, index, 41])
    latent, outfit = people.latent(plan.split, plan.seed, index), (plan.split, plan.seed, index)
    crops, descriptors, found = [], [], []
    for _ in range(plan.views):
        camera = Camera.orbit(
            math.radians(rng.uniform(-plan.yaw, plan.yaw)), math.radians(rng.uniform(-plan.pitch, plan.pitch))
        )
        rays = rays_through(camera, wide_places(camera, points, SIDE * _SUPERSAMPLED).reshape(1, -1, 2))
        seen = people.trace_dressed(latent, outfit, rays.origins.expand_as(rays.directions)[0], rays.directions[0])
        colours = torch.where(seen.hit[:, None], seen.rgb, torch.from_numpy(rng.uniform(-1, 1, 3)).float())
        crop = resize(colours.reshape(SIDE * _SUPERSAMPLED, -1, 3).permute(2, 0, 1), SIDE)
        box = recogniser.find(teachers_pixels(crop))
        for shown in (crop, *(_warped(crop, rng) for _ in range(plan.warps))):
            crops.append(((shown.clamp(-1, 1) + 1) * 127.5).round().byte())
            descriptors.append(taught(recogniser, shown, box))
            found.append(box is not None)
    return {"crops": torch.stack(crops), "descriptors": torch.stack(descriptors), "found": torch.tensor(found)}


def _warped(crop: Tensor, rng: np.random.Generator) -> Tensor:
    return distort("warp", crop[None], rng.uniform(*_WARPS), int(rng.integers(2**31)))[0]


def wide_places(camera: Camera, points: Tensor, side: int) -> Tensor:
    """Where the pixels of the crop with its margin lie in the picture: [1, side, side, 2] image coordinates.

    Args:
        camera: One camera.
        points: Five points [5, 3] of the average face in world units.
        side: Side of the crop with its margin in pixels.
    """
    inner = crop_places(camera, points, ARCFACE_SIZE)
    right, down = ((inner[0, 0, -1] - inner[0, 0, 0]) / (ARCFACE_SIZE - 1),
                   (inner[0, -1, 0] - inner[0, 0, 0]) / (ARCFACE_SIZE - 1))  # fmt: skip
    steps = (torch.arange(side) + 0.5) * (SIDE / side) - 0.5 - MARGIN
    return (inner[0, 0, 0] + steps[None, :, None] * right + steps[:, None, None] * down)[None]


def teachers_pixels(crop: Tensor) -> np.ndarray:
    """A crop with its margin [3, SIDE, SIDE] in [-1, 1] as the teacher sees it: uint8 [432, 432, 3]."""
    return np.ascontiguousarray(as_pixels(resize(crop, _TEACHER_SIDE)))


def taught(recogniser: Recogniser, crop: Tensor, box: Box | None) -> Tensor:
    """The descriptor [128] of a crop with its margin [3, SIDE, SIDE] in [-1, 1].

    Args:
        recogniser: The teacher.
        crop: The crop.
        box: Where the face is in the teacher's pixels; None: where the template has it.
    """
    place = box or Box.around((ARCFACE_TEMPLATE + MARGIN) * (_TEACHER_SIDE / SIDE))
    return torch.from_numpy(recogniser.describe(teachers_pixels(crop), place)).float()
