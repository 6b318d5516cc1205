"""The full architecture, its 54 million weights drawn again from the recipe of the golden file."""

from __future__ import annotations

import math
import zlib
from fnmatch import fnmatchcase

import numpy as np
import pytest
import torch
from panohead_golden import Golden, load

from toolkit_plugins.panohead.generator import PanoHead

TOLERANCE = 3e-4
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
"""Pattern, then (scale, offset) of weights and of everything else; the first match counts."""


def drawn(key: str, shape: tuple[int, ...], golden: Golden) -> np.ndarray:
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


@pytest.mark.slow
def test_full_size_forward_equals_the_official_one() -> None:
    golden = load("fullsize_recipe")
    model = PanoHead().eval()
    state = {
        key: torch.from_numpy(np.asarray(drawn(key, tuple(v.shape), golden), dtype=np.float32))
        for key, v in model.state_dict().items()
    }
    for key, (first, _, total, _) in golden.config["weight_checks"].items():
        assert math.isclose(float(state[key].flatten()[0]), first, rel_tol=1e-6)
        assert math.isclose(float(state[key].double().sum()), total, rel_tol=1e-6, abs_tol=1e-4)
    model.load_state_dict(state)
    psi, cutoff = golden.config["case"]["psi"], golden.config["case"]["cutoff"]
    z, label = golden["in/z"], golden["in/c"]
    with torch.no_grad():
        ws = model.mapping(z, label, psi, cutoff)
        maps = model.as_images(model.planes(ws))
        render = model.generate(z, label, psi, cutoff, 64)
    differences = {
        "map/ws_trunc": ws[:, [0, 13]],
        "planes_sub": maps[:, ::9, 5::16, 3::16],
        "planes_mean": maps.mean(dim=(2, 3)),
        "planes_std": maps.std(dim=(2, 3), unbiased=False),
        "image_raw": render.raw,
        "image_depth": render.depth,
        "image_mask": render.mask,
        "image_sub": render.image[:, :, 1::4, 2::4],
        "image_crop": render.image[:, :, 224:288, 200:264],
    }
    for key, value in differences.items():
        assert golden.error(key, value) < TOLERANCE, key
