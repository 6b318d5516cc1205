"""Tiny encoder trainings that tests share."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from toolkit.configuration import load_config
from toolkit.interfaces import Generator

TRUNK = "{image_size: 32, width: 8, units: [1, 1, 1, 1], block_width: 8}"
REFINER = "{width: 8, units: [1, 1, 1, 1], head_width: 8}"
SWIN = (
    "{image_size: 32, width: 8, depths: [1, 1, 1, 1], heads: [1, 1, 1, 1], window: 4, pretrained_windows: [4, 4, 2, 1]}"
)
STAGE = "optimiser=adam", "rate=0.003", "batch=4", "images={perceptual: 0.1}"


def overrides(folder: Path, **steps: int) -> list[str]:
    """What makes a training small: the photos of a folder, few pairs, and so many steps per stage."""
    found = [
        f"photos.sources=['{folder}']",
        "photos.held_out_subjects=2",
        "pairs.count=12",
        "samples=32",
        "average=0.9",
    ]
    for stage, count in steps.items():
        found += [f"{stage}.steps={count}", *(f"{stage}.{setting}" for setting in STAGE)]
    if "codes" in steps:
        found += ["codes.photos=0", "codes.codes=1", "codes.reconstruct_pairs=false"]
    return found


CLASSES = {
    "psp": ("psp.training", "psp_training", "PspSettings"),
    "e4e": ("e4e.training", "e4e_training", "E4eSettings"),
    "triplanenet": ("triplanenet.training", "triplanenet_training", "TriPlaneNetSettings"),
    "goae": ("goae.training", "goae_training", "GoaeSettings"),
    "dual-encoder": ("dual_encoder.training.job", "dual_training", "DualSettings"),
}
"""Every encoder's training, below `toolkit_plugins`."""
STAGES = {
    "psp": ("codes", "images"),
    "e4e": ("codes", "images"),
    "triplanenet": ("codes", "images", "planes"),
    "goae": ("codes", "images", "alignment"),
    "dual-encoder": ("encoder1.joint", "encoder2.joint"),
}
SIZES = {
    "psp": (f"network={TRUNK}",),
    "e4e": (f"network={TRUNK}", "progressive_start=1", "progressive_every=1"),
    "triplanenet": (f"network={TRUNK}", f"refiner={REFINER}", "view_resolution=8"),
    "goae": (
        f"swin={SWIN}", "feature_size=6", "alignment_width=8", "mask_resolution=16", "view_resolution=8",
        "levels=[0, 0, 1]", "dropout=0",
    ),
    "dual-encoder": (
        f"network={TRUNK}", f"refiner={REFINER}", "view_resolution=8", 
        "adversary.options.occlusion-planes.width=4", "adversary.options.occlusion-images.width=4",
        "adversary.mask.resolution=12", "evaluation_mask.resolution=12",
        "encoder1.joint.images.identity=0", "encoder2.joint.images.identity=0",
    ),
}  # fmt: skip


def tiny_job(kind: str, folder: Path, generator: Generator, *more: str, steps: int = 1) -> Any:
    """A training of any encoder, with so many steps in each of its stages."""
    settings = [*overrides(folder, **dict.fromkeys(STAGES[kind], steps)), *SIZES[kind], *more]
    module, job, model = CLASSES[kind]
    found = importlib.import_module(f"toolkit_plugins.{module}")
    return getattr(found, job)(load_config(getattr(found, model), None, settings), "cpu", generator)
