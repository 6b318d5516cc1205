"""Making PanoHead generators: from a configuration, from a weights file, and writing such files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from toolkit.errors import InputError, WeightsError
from toolkit.files import atomic_write
from toolkit_plugins.panohead.config import PanoHeadConfig
from toolkit_plugins.panohead.generator import PanoHead

ARCHITECTURE = "panohead"
MINI_WEIGHTS = "weights/panohead-mini.safetensors"


def build(config: PanoHeadConfig | None = None) -> PanoHead:
    """A generator with random weights, in training mode (None: as released)."""
    return PanoHead(config)


def save(
    generator: PanoHead,
    path: str | Path,
    metadata: Mapping[str, str] | None = None,
    *,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write weights and configuration to one safetensors file, atomically.

    Args:
        generator: Whose state dict is written.
        path: The file.
        metadata: Further header entries (training run, licence, ...).
        dtype: torch.float16 halves the file; loading gives float32 again.

    Raises:
        InputError: A weight does not fit into `dtype`.
        OutputError: The place cannot be written.
    """
    tensors = {name: value.detach().cpu().to(dtype).contiguous() for name, value in generator.state_dict().items()}
    broken = [name for name, value in tensors.items() if not torch.isfinite(value).all()]
    if broken:
        raise InputError(f"weight {broken[0]!r} is not finite in {dtype}, so nothing was written")
    header = {str(key): str(value) for key, value in (metadata or {}).items()}
    header |= {"architecture": ARCHITECTURE, "config": json.dumps(generator.config.to_dict())}
    with atomic_write(path) as temporary:
        save_file(tensors, temporary, header)


def load(path: str | Path, device: str | torch.device = "cpu") -> PanoHead:
    """Read a file written by `save`: eval mode, float32, gradients off.

    Raises:
        WeightsError: The file is missing, damaged, or of another architecture.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} cannot be read as safetensors: {error}") from error
    if header.get("architecture") != ARCHITECTURE or "config" not in header:
        raise WeightsError(f"{path} does not hold a PanoHead: its header names {header.get('architecture')!r}")
    generator = PanoHead(PanoHeadConfig.from_any(header["config"]))
    try:
        generator.load_state_dict(tensors)
    except RuntimeError as error:
        raise WeightsError(f"{path} does not fit its own configuration: {error}") from error
    return generator.eval().requires_grad_(False).to(device)


def load_panohead(weights: Path | None, device: str = "cpu") -> PanoHead:
    """The full model from the user's weights file (made by `toolkit weights import`).

    Raises:
        WeightsError: No file given, or it cannot be used.
    """
    if weights is None:
        raise WeightsError(
            "generator 'panohead' needs its weights: convert the released checkpoint with 'toolkit weights import' "
            "and name the result with --generator-weights"
        )
    return load(weights, device)


def load_mini(weights: Path | None = None, device: str = "cpu") -> PanoHead:
    """The miniature, with its embedded weights unless a file is given.

    Raises:
        WeightsError: The file is missing or cannot be used.
    """
    if weights is not None:
        return load(weights, device)
    place = resources.files("toolkit_plugins.panohead") / MINI_WEIGHTS
    with resources.as_file(place) as path:
        if not path.is_file():
            raise WeightsError("generator 'panohead-mini' has no embedded weights in this installation: train it with "
                               "'toolkit train panohead-mini' or name a weights file")
        return load(path, device)
