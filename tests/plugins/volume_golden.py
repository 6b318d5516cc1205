"""Golden arrays of the official generators of EG3D's family (see the README beside each set in tests/data)."""

from __future__ import annotations

import json
import math
import zlib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

DATA = Path(__file__).parents[1] / "data"
RULES: list[tuple[str, tuple[float, float], tuple[float, float]]] = [
    ("backbone.mapping.fc*", (100, 0), (20, 0)),
    ("t_mapping.fc1.*", (0.03, 0), (0.009, 0)),
    ("t_mapping.fc0.*", (1, 0), (0.3, 0)),
    ("t_mapping.w_avg", (0, 0), (0.03, 0)),
    ("*w_avg", (0, 0), (0.5, 0)),
    ("*.embed.*", (1, 0), (0.3, 0)),
    ("*.affine.*", (0.5, 0), (0.2, 1)),
    ("decoder.net.*", (1, 0), (0.3, 0)),
    ("*torgb*", (0.5, 0), (0.2, 0)),
    ("*.noise_strength", (0, 0), (0.15, 0)),
    ("*.bias", (0, 0), (0.2, 0)),
    ("*", (1, 0), (1, 0)),
]
"""How full-size weights are drawn: pattern, then (scale, offset) of weights and of the rest; the first counts."""


class Golden:
    """One file: arrays as tensors, its configuration, its largest difference from ours."""

    def __init__(self, folder: str, name: str) -> None:
        with np.load(DATA / folder / f"{name}.npz") as file:
            self.arrays = {key: np.asarray(file[key]) for key in file.files}
        self.config: dict[str, Any] = json.loads(str(self.arrays["config"]))

    def __getitem__(self, key: str) -> Tensor:
        return torch.from_numpy(self.arrays[key])

    def __contains__(self, key: str) -> bool:
        return key in self.arrays

    def state_dict(self, prefix: str = "sd/") -> dict[str, Tensor]:
        return {key[len(prefix) :]: self[key] for key in self.arrays if key.startswith(prefix)}

    def json(self, key: str) -> dict[str, Any]:
        return dict(json.loads(str(self.arrays[key])))

    def error(self, key: str, value: Tensor) -> float:
        expected = self[key]
        assert value.numel() == expected.numel(), f"{key}: {list(value.shape)} against {list(expected.shape)}"
        return float((value.detach().reshape(expected.shape) - expected).abs().max())

    @property
    def case(self) -> tuple[float, int | None, int, int]:
        """Truncation, its cutoff, and the sides of the two ray grids."""
        chosen = self.config["case"]
        return chosen["psi"], chosen["cutoff"], chosen["nrr0"], chosen["nrr1"]


def load_drawn_weights(model: nn.Module, golden: Golden) -> None:
    """Fill a full-size model with the weights of a golden file, drawn again from each key's name, and check some."""
    state = {
        key: torch.from_numpy(np.asarray(_drawn(key, tuple(v.shape), golden), dtype=np.float32))
        for key, v in model.state_dict().items()
    }
    for key, (first, _, total, _) in golden.config["weight_checks"].items():
        assert math.isclose(float(state[key].flatten()[0]), first, rel_tol=1e-6)
        assert math.isclose(float(state[key].double().sum()), total, rel_tol=1e-6, abs_tol=1e-4)
    model.load_state_dict(state)


def _drawn(key: str, shape: tuple[int, ...], golden: Golden) -> np.ndarray:
    if key.endswith("resample_filter"):
        return np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
    seed = (zlib.crc32(key.encode()) ^ (golden.config["case"]["seed"] * 2654435761)) & 0x7FFFFFFF
    rule = next(rule for rule in RULES if fnmatchcase(key, rule[0]))
    scale, offset = rule[1] if key.endswith("weight") else rule[2]
    values = np.asarray(np.random.RandomState(seed).standard_normal(shape) * scale + offset)
    if key == "decoder.net.2.weight":
        values[0] *= golden.config["sigma_gain"]
    if key == "decoder.net.2.bias":
        values[0] += golden.config["sigma_bias"]
    return values
