"""Golden arrays of the official PanoHead (see tests/data/panohead/README.md)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolkit_plugins.panohead.architecture import PanoHeadArchitecture
from toolkit_plugins.panohead.generator import PanoHead

FOLDER = Path(__file__).parents[2] / "data" / "panohead"
OUTPUTS = ("image", "image_raw", "image_depth", "image_mask")


class Golden:
    """One file: arrays as tensors, its configuration, its largest difference from ours."""

    def __init__(self, name: str) -> None:
        with np.load(FOLDER / f"{name}.npz") as file:
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


@cache
def load(name: str) -> Golden:
    return Golden(name)


@cache
def generator(name: str) -> PanoHead:
    golden = load(name)
    built = PanoHeadArchitecture().build(golden.state_dict(), golden.config)
    built.load_state_dict(golden.state_dict())
    return built.eval()
