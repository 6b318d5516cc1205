"""Tiny encoder trainings that tests share."""

from __future__ import annotations

from pathlib import Path

TRUNK = "{image_size: 32, width: 8, units: [1, 1, 1, 1], block_width: 8}"
REFINER = "{width: 8, units: [1, 1, 1, 1], head_width: 8}"
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
