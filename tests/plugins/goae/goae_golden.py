"""Weights and inputs of the GOAE golden files, drawn again from (seed, name, shape); see tests/data/goae/README.md."""

from __future__ import annotations

import math
import re
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

FOLDER = Path(__file__).parents[2] / "data" / "goae"
SEED = 1
_COMPUTED = ("relative_coords_table", "relative_position_index", "attn_mask", "num_batches_tracked")


def load(name: str) -> dict[str, Tensor]:
    with np.load(FOLDER / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
    source = np.random.Generator(np.random.PCG64([SEED, zlib.crc32(name.encode())]))
    return source.standard_normal(shape).astype(np.float32)


def image(name: str, side: int) -> Tensor:
    """Blocks with noise, as bytes, in the network's range."""
    coarse = draw(f"{name}/coarse", (1, 3, 8, 8)).repeat(side // 8, axis=2).repeat(side // 8, axis=3)
    mixed = np.float32(0.6) * coarse + np.float32(0.25) * draw(f"{name}/fine", (1, 3, side, side))
    levels = np.round((mixed.clip(-1, 1) + 1) * np.float32(127.5)).clip(0, 255).astype(np.uint8)
    return torch.from_numpy(levels.astype(np.float32) / np.float32(127.5) - np.float32(1))


def weights(module: nn.Module, *, alignment: bool) -> dict[str, Tensor]:
    """A state dict with the module's keys, its computed entries left out."""
    found = {}
    for key, own in module.state_dict().items():
        if not key.endswith(_COMPUTED):
            shape = tuple(own.shape)
            found[key] = torch.from_numpy(np.asarray(_entry(key, draw(key, shape), alignment), np.float32))
    return found


def _entry(key: str, n: np.ndarray, alignment: bool) -> np.ndarray:
    f = np.float32
    if alignment and re.search(r"^output_layer\.[02]\.weight$", key):
        return n
    if alignment and re.search(r"^input_layer\.2\.weight$|\.res_layer\.2\.weight$", key):
        return f(0.25) + f(0.05) * n
    if key.endswith("running_mean"):
        return f(0.1) * n
    if key.endswith("running_var"):
        return f(1) + f(0.1) * np.abs(n)
    if key.endswith("logit_scale"):
        return f(math.log(10)) + n
    if key.endswith("bias"):
        return f(0.1) * n
    if n.ndim == 1:
        return f(1) + f(0.1) * n
    return f(1 / math.sqrt(math.prod(n.shape[1:]))) * n


def error(value: Tensor, expected: Tensor, deviation: Tensor | None = None) -> float:
    spread = expected.std(unbiased=False) if deviation is None else deviation
    assert value.shape == expected.shape
    return float((value - expected).abs().max() / spread)
