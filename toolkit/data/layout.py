"""The layout of a data set: names of files and folders, and the scale of stored depth."""

from __future__ import annotations

from pathlib import PurePosixPath

from toolkit.pictures import SUFFIXES

LABELS_FILE = "dataset.json"
SUBJECTS_FILE = "subjects.json"
MASKS_FOLDER = "masks"
DEPTH_FOLDER = "depth"
SEGMENTS_FOLDER = "segments"
OWN_FOLDERS = (MASKS_FOLDER, DEPTH_FOLDER, SEGMENTS_FOLDER)
"""Below these lie no pictures."""
DEPTH_SCALE = 10_000
"""A depth of one world unit in a 16-bit PNG; 0 stands for no depth."""


def is_image(name: str) -> bool:
    """Whether a file is one of the data set's pictures (no mask, depth or segments)."""
    pure = PurePosixPath(name)
    return pure.suffix.lower() in SUFFIXES and pure.parts[0] not in OWN_FOLDERS


def mask_name(name: str) -> str:
    """Where the mask of an image is kept: an 8-bit grey PNG, 255 = head."""
    return f"{MASKS_FOLDER}/{PurePosixPath(name).with_suffix('.png')}"


def segment_name(name: str) -> str:
    """Where the segments of an image are kept: an 8-bit grey PNG, the data set's own numbers of what a pixel shows."""
    return f"{SEGMENTS_FOLDER}/{PurePosixPath(name).with_suffix('.png')}"


def depth_names(name: str) -> tuple[str, str]:
    """Where the depth of an image may be kept: 16-bit PNG (see `DEPTH_SCALE`), or NPY [S, S] in world units."""
    stem = PurePosixPath(name)
    return f"{DEPTH_FOLDER}/{stem.with_suffix('.png')}", f"{DEPTH_FOLDER}/{stem.with_suffix('.npy')}"
