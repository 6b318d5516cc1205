"""The full architecture, its weights drawn again from the recipe of the golden file."""

from __future__ import annotations

import json
import math
import zlib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from toolkit_spherehead.architecture import SphereHeadArchitecture
from toolkit_spherehead.config import SphereHeadConfig
from toolkit_spherehead.generator import SphereHead

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
"""How weights are drawn: pattern, then (scale, offset) of weights and of the rest; the first counts."""


def drawn(key: str, shape: tuple[int, ...], config: dict[str, Any]) -> np.ndarray:
    if key.endswith("resample_filter"):
        return np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
    seed = (zlib.crc32(key.encode()) ^ (config["case"]["seed"] * 2654435761)) & 0x7FFFFFFF
    rule = next(rule for rule in RULES if fnmatchcase(key, rule[0]))
    scale, offset = rule[1] if key.endswith("weight") else rule[2]
    values = np.asarray(np.random.RandomState(seed).standard_normal(shape) * scale + offset)
    if key == "decoder.net.2.weight":
        values[0] *= config["sigma_gain"]
    if key == "decoder.net.2.bias":
        values[0] += config["sigma_bias"]
    return values


@pytest.mark.slow
def test_full_size_forward_equals_the_official_one() -> None:
    with np.load(Path(__file__).parent / "data" / "fullsize_recipe.npz") as file:
        golden = {key: np.asarray(file[key]) for key in file.files}
    config = json.loads(str(golden["config"]))
    shapes = {key: tuple(value.shape) for key, value in SphereHead(SphereHeadConfig()).state_dict().items()}
    state = {key: torch.from_numpy(np.asarray(drawn(key, shape, config), np.float32)) for key, shape in shapes.items()}
    for key, (first, _, total, _) in config["weight_checks"].items():
        assert math.isclose(float(state[key].flatten()[0]), first, rel_tol=1e-6), key
        assert math.isclose(float(state[key].double().sum()), total, rel_tol=1e-6, abs_tol=1e-4), key
    model = SphereHeadArchitecture().build(state, config).eval()
    model.load_state_dict(state)
    case, z, label = config["case"], torch.from_numpy(golden["in/z"]), torch.from_numpy(golden["in/c"])
    with torch.no_grad():
        ws = model.mapping(z, label, case["psi"], case["cutoff"])
        planes = model.planes(ws)
        render = model.generate(z, label, case["psi"], case["cutoff"], case["nrr"])
    found = {
        "map/ws_trunc": ws[:, [0, 13]],
        "planes_sub": planes[..., ::3, 5::16, 3::16],
        "planes_mean": planes.mean(dim=(-2, -1)),
        "planes_std": planes.std(dim=(-2, -1), unbiased=False),
        "image_raw": render.raw,
        "image_depth": render.depth,
        "image_mask": render.mask,
        "image_sub": render.image[:, :, 1::4, 2::4],
        "image_crop": render.image[:, :, 224:288, 200:264],
    }
    differences = {key: float(np.abs(value.numpy() - golden[key]).max()) for key, value in found.items()}
    assert max(differences.values()) < 3e-4, differences
