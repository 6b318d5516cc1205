"""Making SphereHead generators from weights files, and writing such files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from toolkit.generators.files import load_generator, save_generator, untrained_generator
from toolkit.weights.store import needed_weights
from toolkit_spherehead.config import SphereHeadConfig
from toolkit_spherehead.generator import SphereHead

ARCHITECTURE, UNTRAINED = "spherehead", "spherehead-untrained"


def save(
    generator: SphereHead,
    path: str | Path,
    metadata: Mapping[str, Any] | None = None,
    *,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a SphereHead's weights and configuration; see `toolkit.generators.files.save_generator`."""
    save_generator(generator, path, ARCHITECTURE, metadata, dtype=dtype)


def load(path: str | Path, device: str = "cpu") -> SphereHead:
    """Read a file written by `save`: eval mode, float32, gradients off.

    Raises:
        WeightsError: The file is missing, damaged, holds NaN or infinity, or is of another architecture.
    """
    return load_generator(path, ARCHITECTURE, lambda config: SphereHead(SphereHeadConfig.from_dict(config)), device)


def load_spherehead(weights: Path | None, device: str = "cpu") -> SphereHead:
    """The full model from a file (ours or the official pickle), by default the one that was imported.

    Raises:
        WeightsError: There is none, or it cannot be used.
    """
    return load(weights or needed_weights(ARCHITECTURE, "generator 'spherehead'"), device)


def load_untrained(weights: Path | None = None, device: str = "cpu") -> SphereHead:
    """The released sizes with random weights, the same at every call: for dry runs and timings.

    Raises:
        WeightsError: A file is given.
    """
    return untrained_generator(
        UNTRAINED, ARCHITECTURE, lambda about: SphereHead(SphereHeadConfig(about=about)), weights, device
    )
