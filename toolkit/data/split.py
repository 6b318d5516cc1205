"""The parts `train` and `val` of a data set, by a rule that needs no list and copies nothing.

A picture belongs to `val` where sha256 of its identity, read as one large number, is divisible by 11 (9.1 %; the paper
holds out 14k beside 140k), else to `train`. Its identity is its subject; without one, its name without ending and
without `_mirror`. In lists without subjects whose odd entries are the mirror images of the even ones before them
(EG3D's), both have the identity of the even one. So all pictures of a subject, and a picture and its mirror image, lie
in one part, and a picture's part does not change when others are added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath

import torch

from toolkit.camera import Camera
from toolkit.data.transforms import MIRROR_MARK
from toolkit.interfaces import IndexedDataset

PARTS = ("train", "val")
MODULUS = 11
RULE = f"val where sha256 of the subject (or of the name without ending and {MIRROR_MARK}) is divisible by {MODULUS}"
_SAME_CAMERA = 1e-4
"""Largest difference of a label's entries between a camera and its twin's mirror image."""


def part_of(identity: str) -> str:
    """The part that an identity belongs to."""
    number = int.from_bytes(hashlib.sha256(identity.encode()).digest(), "big")
    return "val" if number % MODULUS == 0 else "train"


def identities(data: IndexedDataset) -> list[str]:
    """What the rule calls each item; no picture is read."""
    found = [
        _plain(name) if subject is None else subject for name, subject in zip(data.names, data.subjects, strict=True)
    ]
    twins = _mirrors_of_the_one_before(data.cameras)
    for index in range(1, len(found), 2):
        if data.subjects[index] is None and data.subjects[index - 1] is None and twins[index]:
            found[index] = found[index - 1]
    return found


def indices_of(data: IndexedDataset, part: str) -> list[int]:
    """The items of a part, in order."""
    return [index for index, identity in enumerate(identities(data)) if part_of(identity) == part]


def _plain(name: str) -> str:
    return str(PurePosixPath(name).with_suffix("")).removesuffix(MIRROR_MARK)


def _mirrors_of_the_one_before(cameras: Camera) -> Sequence[bool]:
    """Whether each camera is the mirror image of the one before it, and another one than that."""
    label = cameras.label
    if len(label) < 2:
        return [False] * len(label)
    mirrored = Camera(label[:-1]).mirror().label
    near = ((label[1:] - mirrored).abs() < _SAME_CAMERA).all(1)
    moved = ((label[1:] - label[:-1]).abs() >= _SAME_CAMERA).any(1)
    return [False, *torch.logical_and(near, moved).tolist()]
