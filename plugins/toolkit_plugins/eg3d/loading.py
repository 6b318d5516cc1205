"""Making EG3D generators from weights files, and writing such files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from toolkit.generators.files import load_generator, save_generator
from toolkit.weights.store import needed_weights
from toolkit_plugins.eg3d.config import EG3DConfig
from toolkit_plugins.eg3d.generator import EG3D

ARCHITECTURE = "eg3d"


def save(
    generator: EG3D, path: str | Path, metadata: Mapping[str, Any] | None = None, *, dtype: torch.dtype = torch.float32
) -> None:
    """Write an EG3D's weights and configuration; see `toolkit.generators.files.save_generator`."""
    save_generator(generator, path, ARCHITECTURE, metadata, dtype=dtype)


def load(path: str | Path, device: str = "cpu") -> EG3D:
    """Read a file written by `save`: eval mode, float32, gradients off.

    Raises:
        WeightsError: The file is missing, damaged, holds NaN or infinity, or is of another architecture.
    """
    return load_generator(path, ARCHITECTURE, lambda config: EG3D(EG3DConfig.from_dict(config)), device)


def load_eg3d(weights: Path | None, device: str = "cpu") -> EG3D:
    """The full model from a file (ours or the official pickle), by default the one that was imported.

    Raises:
        WeightsError: There is none, or it cannot be used.
    """
    return load(weights or needed_weights(ARCHITECTURE, "generator 'eg3d'"), device)
