"""The full architecture, its 54 million weights drawn again from the recipe of the golden file."""

from __future__ import annotations

import pytest
import torch
from panohead_golden import load
from volume_golden import load_drawn_weights

from toolkit_plugins.panohead.generator import PanoHead

TOLERANCE = 3e-4


@pytest.mark.slow
def test_full_size_forward_equals_the_official_one() -> None:
    golden = load("fullsize_recipe")
    model = PanoHead().eval()
    load_drawn_weights(model, golden)
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
