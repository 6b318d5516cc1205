"""Making PanoHead generators: from a configuration, from a weights file, and writing such files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import torch

from toolkit.errors import WeightsError
from toolkit.generators.files import load_generator, save_generator, untrained_generator
from toolkit.weights.store import needed_weights
from toolkit_plugins.panohead.config import PanoHeadConfig
from toolkit_plugins.panohead.generator import PanoHead

ARCHITECTURE = "panohead"
UNTRAINED = "panohead-untrained"
MINIATURE = "panohead-mini"


def build(config: PanoHeadConfig | None = None) -> PanoHead:
    """A generator with random weights, in training mode (None: as released)."""
    return PanoHead(config)


def save(
    generator: PanoHead,
    path: str | Path,
    metadata: Mapping[str, Any] | None = None,
    *,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a PanoHead's weights and configuration; see `toolkit.generators.files.save_generator`."""
    save_generator(generator, path, ARCHITECTURE, metadata, dtype=dtype)


def load(path: str | Path, device: str = "cpu") -> PanoHead:
    """Read a file written by `save`: eval mode, float32, gradients off.

    Raises:
        WeightsError: The file is missing, damaged, holds NaN or infinity, or is of another architecture.
    """
    return load_generator(path, ARCHITECTURE, lambda config: PanoHead(PanoHeadConfig.from_dict(config)), device)


def load_panohead(weights: Path | None, device: str = "cpu") -> PanoHead:
    """The full model from a file (ours or the official pickle), by default the one that was imported.

    Raises:
        WeightsError: There is none, or it cannot be used.
    """
    return load(weights or needed_weights(ARCHITECTURE, "generator 'panohead'"), device)


def load_untrained(weights: Path | None = None, device: str = "cpu") -> PanoHead:
    """The full model's sizes with random weights, the same at every call: for dry runs and timings.

    Raises:
        WeightsError: A file is given.
    """
    return untrained_generator(
        UNTRAINED, ARCHITECTURE, lambda about: build(replace(PanoHeadConfig.released(), about=about)), weights, device
    )


def load_mini(weights: Path | None = None, device: str = "cpu") -> PanoHead:
    """The miniature, with its embedded weights unless a file is given.

    Raises:
        WeightsError: The file is missing or cannot be used.
    """
    if weights is not None:
        return load(weights, device)
    with resources.as_file(resources.files("toolkit_plugins.panohead") / f"weights/{MINIATURE}.safetensors") as path:
        if not path.is_file():
            raise WeightsError(
                f"generator {MINIATURE!r} has no embedded weights in this installation: train it with "
                f"'toolkit train {MINIATURE}' or name a weights file"
            )
        return load(path, device)
