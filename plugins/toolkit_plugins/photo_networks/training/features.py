"""The trunk's maps of augmented copies of faces: computed once, because the trunk does not learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from toolkit.tensors import read_metadata, read_tensors, write_tensors
from toolkit_plugins.photo_networks.identity_network import DistilledRecogniser, Maps
from toolkit_plugins.photo_networks.training.augmentation import plain_faces, worn_faces
from toolkit_plugins.photo_networks.training.faces import Faces

_VERSION = 1
_SHARD = 100
"""Faces in a file."""
_NAMES = ("first", "second", "third")


class Copies(NamedTuple):
    """N faces, K copies each: as they are, then augmented."""

    maps: Maps
    """[N, K, C, S, S] float16 of three depths."""
    descriptors: Tensor
    """[N, 128]: what the teacher says of the face as it is."""

    def rows(self, faces: Tensor, copies: Tensor) -> Maps:
        """Maps [B, C, S, S] float32 of faces [B] and copies [B]."""
        first, second, third = (layer[faces, copies].float() for layer in self.maps)
        return first, second, third


def prepare_copies(
    faces: Faces, plan: object, copies: int, seed: int, folder: Path, note: Callable[[str], None] | None = None
) -> Copies:
    """Read the maps of copies from `folder`, making those that are missing.

    Args:
        faces: The faces.
        plan: What they are made by, in plain types, to recognise files by.
        copies: Of each face; the first is as it is.
        seed: Decides how the others are augmented.
        folder: Where files are kept.
        note: Hears what is done.

    Raises:
        OutputError: The folder cannot be written.
    """
    crops, about = faces.crops.flatten(0, 1), {"version": _VERSION, "faces": plan, "copies": copies, "seed": seed}
    starts = range(0, len(crops), _SHARD)
    files = [folder / f"copies-{seed}-{start:06d}.safetensors" for start in starts]
    network: DistilledRecogniser | None = None
    for start, file in zip(starts, files, strict=True):
        part = crops[start : start + _SHARD]
        if file.is_file() and read_metadata(file) == about | {"count": len(part)}:
            continue
        network = network or DistilledRecogniser().eval()
        made = _maps_of(network, part.float() / 127.5 - 1, copies, np.random.default_rng([seed, start]))
        write_tensors(file, dict(zip(_NAMES, made, strict=True)), about | {"count": len(part)})
        if note is not None:
            note(f"maps of faces: {start + len(part)} of {len(crops)}")
    parts = [read_tensors(file)[0] for file in files]
    first, second, third = (torch.cat([part[name] for part in parts]) for name in _NAMES)
    return Copies((first, second, third), faces.descriptors.flatten(0, 1))


@torch.no_grad()
def _maps_of(network: DistilledRecogniser, crops: Tensor, copies: int, rng: np.random.Generator) -> list[Tensor]:
    found = []
    for number in range(copies):
        shown = worn_faces(crops, rng) if number else plain_faces(crops)
        found.append([torch.cat(layers).half() for layers in zip(*map(network.maps, shown.split(25)), strict=True)])
    return [torch.stack(layers, 1) for layers in zip(*found, strict=True)]
